"""The gateway dies after each step of a System's create and delete in turn, and comes back.

The process lives on here, so that all steps can be tried; what dies is everything that could act or write: the store,
the jobs, the calls to the hypervisor. tests/fault does it once with SIGKILL, over libvirt.
"""

from __future__ import annotations

from typing import Any

import pytest

from drivers.base import DriverFailed
from drivers.memory import MemoryDriver
from tests.api.mortal import Mortal, again, unfinished
from tests.api.systems import machine, network, on, system, volume

pytestmark = pytest.mark.slow

MOST_STEPS = 120


class Lasting(dict[str, Any]):
    """Faults that happen every time."""

    def pop(self, key: str) -> Any:  # type: ignore[override]
        return self[key]


@pytest.fixture
async def shop(mortal: Mortal, images: Any) -> dict[str, Any]:
    """Three Machines, each with a Volume, on one network."""
    document = {"name": "guest", "imageLocation": f"file://{images / 'guest.qcow2'}"}
    image = (await mortal.client.post("machineImages", document, Prefer="wait=30")).location
    web = machine(image, quantity=3, networkInterfaces=on("front"), volumes=[{"href": "#data"}])
    return system(web, volume(quantity=3), network())


async def begun(mortal: Mortal, shop: dict[str, Any]) -> tuple[str, str]:
    """URLs of a System that is being made, and of its Job."""
    answer = await mortal.client.post("systems", shop, Prefer="respond-async")
    assert answer.status == 202, answer.text
    return answer.location, answer.job


def left(driver: MemoryDriver) -> list[str]:
    """What the hypervisor has beside the image and the host's network."""
    disks = [name for _, name in driver.state.volumes if not name.startswith("cimi-image-")]
    networks = [name for name in driver.state.networks if name != "default"]
    return [*driver.state.domains, *disks, *networks, *driver.state.filters]


NOTHING = {"systems": 0, "machines": 0, "volumes": 0, "networks": 1, "credentials": 0}
WHOLE = {"systems": 1, "machines": 3, "volumes": 3, "networks": 2, "credentials": 0}


@pytest.mark.timeout(300)
async def test_a_create_killed_after_any_step_makes_the_whole_system_once(
    mortal: Mortal, shop: dict[str, Any], driver: MemoryDriver
) -> None:
    for number in range(1, MOST_STEPS):
        await again(mortal, number)
        url, job = await begun(mortal, shop)
        ended = await mortal.ended(job)
        assert (ended["state"], await mortal.counts()) == ("SUCCESS", WHOLE), number
        assert (await mortal.client.document(url))["state"] == "STARTED"
        mortal.dies_after = 0
        assert (await mortal.client.delete(url, Prefer="wait=30")).status == 200
        assert (await mortal.counts(), left(driver)) == (NOTHING, []), number
        if mortal.deaths < number:
            break
    assert mortal.deaths > 30
    assert await unfinished(mortal) == []


@pytest.mark.timeout(300)
async def test_a_delete_killed_after_any_step_is_finished(
    mortal: Mortal, shop: dict[str, Any], driver: MemoryDriver
) -> None:
    for number in range(1, MOST_STEPS):
        await again(mortal, 0)
        url, job = await begun(mortal, shop)
        await mortal.ended(job)
        mortal.steps, mortal.dies_after = 0, number
        answer = await mortal.client.delete(url, Prefer="respond-async")
        assert answer.status == 202, answer.text
        ended = await mortal.ended(answer.job)
        assert (ended["state"], await mortal.counts(), left(driver)) == ("SUCCESS", NOTHING, []), number
        if mortal.deaths < number:
            break
    assert mortal.deaths > 20
    assert await unfinished(mortal) == []


@pytest.mark.timeout(300)
async def test_a_failing_create_killed_after_every_third_step_leaves_nothing(
    mortal: Mortal, shop: dict[str, Any], driver: MemoryDriver
) -> None:
    driver.state.faults = Lasting({"domains.start": DriverFailed("no more memory")})
    for number in range(2, MOST_STEPS, 3):
        before = mortal.deaths
        await again(mortal, number)
        _, job = await begun(mortal, shop)
        ended = await mortal.ended(job)
        assert (ended["state"], "no more memory" in ended["statusMessage"]) == ("FAILED", True), number
        assert (await mortal.counts(), left(driver)) == (NOTHING, []), number
        if mortal.deaths == before:
            break
    assert mortal.deaths > 10
    assert await unfinished(mortal) == []
