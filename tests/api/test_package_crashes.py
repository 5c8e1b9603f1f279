"""The gateway dies after each step of an import and of an export in turn, and comes back.

Steps of the Jobs that these ask for are counted. tests/fault does some of it with SIGKILL, over libvirt.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drivers.memory import MemoryDriver
from tests.api.mortal import Mortal, again, unfinished
from tests.api.packages import STARTUP, address, component, described, disks, machine, package, staged, template
from tests.unit.ovf.samples import ova

pytestmark = pytest.mark.slow

MOST_STEPS = 120
ALONE = ("networkPorts", "addresses", "forwardingGroups")
KINDS = ("systems", "systemTemplates", "machines", "volumes", "networks", "machineImages", "volumeImages", *ALONE)
NOTHING = dict.fromkeys(KINDS, 0) | {"networks": 1}
WHOLE = dict(zip(KINDS, (1, 0, 2, 1, 2, 1, 1, 1, 1, 1), strict=True))
FRONT = '<network href="#front"/>'
CARRIED = template(component("NetworkPort", FRONT, "p"), address(""), component("ForwardingGroup", FRONT, "g"))
USES = '<networkInterface><address href="#a"/><networkPort href="#p"/></networkInterface>'


def own(path: Path) -> bytes:
    """A package as they are written here: with an own disk, and what OVF has no words for."""
    text = described(collection=STARTUP + CARRIED, web=machine(USES))
    marked = text.replace(
        b'ovf:diskId="data"', b'ovf:diskId="data" c:use="disk" xmlns:c="http://cimi-gateway.org/ns/1"'
    )
    return package(path, marked)


async def counts(mortal: Mortal) -> dict[str, int]:
    return {kind: (await mortal.client.document(kind))["count"] for kind in KINDS}


async def clear(mortal: Mortal, driver: MemoryDriver) -> None:
    for kind in ("systems", "machineImages", "volumeImages"):
        for entry in (await mortal.client.document(kind)).get(kind, []):
            assert (await mortal.client.delete(entry["id"], Prefer="wait=30")).status == 200
    assert (await counts(mortal), driver.state.volumes) == (NOTHING, {})


async def import_of(mortal: Mortal, source: Path) -> str:
    answer = await mortal.client.act("systems", "import", source=f"file://{source}")
    assert answer.status == 202, answer.text
    return answer.job


@pytest.mark.timeout(300)
async def test_an_import_killed_after_any_step_makes_the_whole_system_once(
    mortal: Mortal,
    driver: MemoryDriver,
    images: Path,
    tmp_path: Path,
) -> None:
    (images / "shop.ova").write_bytes(own(tmp_path))
    for number in range(1, MOST_STEPS):
        await again(mortal, number)
        ended = await mortal.ended(await import_of(mortal, images / "shop.ova"))
        assert (ended["state"], await counts(mortal)) == ("SUCCESS", WHOLE), (number, ended)
        assert staged(mortal.gateway) == []
        mortal.dies_after = 0
        await clear(mortal, driver)
        if mortal.deaths < number:
            break
    assert mortal.deaths > 20
    assert await unfinished(mortal) == []


@pytest.mark.timeout(300)
async def test_a_failing_import_killed_after_any_step_leaves_nothing(
    mortal: Mortal,
    driver: MemoryDriver,
    images: Path,
    tmp_path: Path,
) -> None:
    text = described(collection=CARRIED, web=machine(USES)).replace(b">128<", b">99999999<")
    (images / "shop.ova").write_bytes(ova(("shop.ovf", text), *disks(tmp_path)))
    for number in range(1, MOST_STEPS):
        before = mortal.deaths
        await again(mortal, number)
        ended = await mortal.ended(await import_of(mortal, images / "shop.ova"))
        assert (ended["state"], "memory" in ended["statusMessage"]) == ("FAILED", True), (number, ended)
        assert (await counts(mortal), driver.state.volumes, staged(mortal.gateway)) == (NOTHING, {}, []), number
        if mortal.deaths == before:
            break
    assert mortal.deaths > 8
    assert await unfinished(mortal) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("direct", [False, True])
async def test_an_export_killed_after_any_step_writes_one_whole_package(
    mortal: Mortal,
    driver: MemoryDriver,
    images: Path,
    tmp_path: Path,
    direct: bool,
) -> None:
    target = tmp_path / "out"
    target.mkdir()
    mortal.settings.images.export_directories.append(str(tmp_path))
    (images / "shop.ova").write_bytes(package(tmp_path))
    await again(mortal, 0)
    await mortal.ended(await import_of(mortal, images / "shop.ova"))
    stored = set(driver.state.volumes)
    for number in range(1, MOST_STEPS):
        await again(mortal, number)
        [system] = (await mortal.client.document("systems"))["systems"]
        parameters: dict[str, Any] = {"destination": f"file://{target}/out.ova"} if direct else {}
        answer = await mortal.client.act(system["id"], "export", **parameters)
        ended = await mortal.ended(answer.job)
        assert (ended["state"], set(driver.state.volumes)) == ("SUCCESS", stored), (number, ended)
        assert len(staged(mortal.gateway)) == (0 if direct else 1)
        assert [path.name for path in target.iterdir()] == (["out.ova"] if direct else [])
        for path in target.iterdir():
            path.unlink()
        mortal.dies_after = 0
        assert (await mortal.client.delete(answer.job)).status == 200
        assert staged(mortal.gateway) == []
        if mortal.deaths < number:
            break
    assert mortal.deaths > 4


@pytest.mark.timeout(300)
async def test_a_failing_export_killed_after_any_step_leaves_nothing(
    mortal: Mortal,
    driver: MemoryDriver,
    images: Path,
    tmp_path: Path,
) -> None:
    """A directory stands where the archive is to go: only the last step fails."""
    (tmp_path / "out.ova").mkdir()
    mortal.settings.images.export_directories.append(str(tmp_path))
    (images / "shop.ova").write_bytes(package(tmp_path))
    await again(mortal, 0)
    await mortal.ended(await import_of(mortal, images / "shop.ova"))
    stored, there = set(driver.state.volumes), {path.name for path in tmp_path.iterdir()}  # noqa: ASYNC240
    for number in range(1, MOST_STEPS):
        before = mortal.deaths
        await again(mortal, number)
        [system] = (await mortal.client.document("systems"))["systems"]
        answer = await mortal.client.act(system["id"], "export", destination=f"file://{tmp_path}/out.ova")
        ended = await mortal.ended(answer.job)
        assert (ended["state"], set(driver.state.volumes), staged(mortal.gateway)) == ("FAILED", stored, []), number
        assert {path.name for path in tmp_path.iterdir()} == there  # noqa: ASYNC240
        if mortal.deaths == before:
            break
    assert mortal.deaths > 6
