"""The gateway is killed with SIGKILL in the middle of a System of three Machines, over libvirt.

tests/api/test_system_crashes.py tries every step; here the processes, files and networks are real ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import hypervisor
from tests.fault.crashes import killed_after, restarted
from tests.gateway_process import GatewayProcess
from tests.system.systems import descriptor, whole

pytestmark = pytest.mark.qemu
ASYNC = {"Prefer": "respond-async"}
COUNTED = ("systems", "machines", "volumes")


@pytest.fixture(scope="module")
def gateway(shared: GatewayProcess) -> GatewayProcess:
    """The module's gateway: each test leaves it alive, and itself nothing."""
    return shared


@pytest.fixture(scope="module")
def shop(gateway: GatewayProcess, images: Path) -> dict[str, Any]:
    client = gateway.client()
    image = str(client.added("machineImages", {"imageLocation": f"file://{images / 'guest.qcow2'}"})["id"])
    return whole(
        descriptor("Network", {"networkConfig": {"networkType": "PRIVATE"}}, "front"),
        descriptor("Volume", {"volumeConfig": {"capacity": 10000}}, "data", quantity=3),
        descriptor(
            "Machine",
            {
                "machineConfig": {"cpu": 1, "memory": 65536},
                "machineImage": {"href": image},
                "networkInterfaces": [{"network": {"href": "#front"}}],
                "volumes": [{"href": "#data"}],
            },
            "web",
            quantity=3,
        ),
    )


def left(gateway: GatewayProcess) -> list[str]:
    """What libvirt has of it, beside the image."""
    files = [name for name in hypervisor.files_in(gateway.pool) if not name.startswith("cimi-image-")]
    return [*files, *hypervisor.domains_using(gateway.pool), *hypervisor.networks_in(gateway.ranges[0])]


def test_a_system_whose_create_is_killed_is_whole_after_the_restart_and_goes_wholly(
    gateway: GatewayProcess, shop: dict[str, Any]
) -> None:
    answer = killed_after(gateway, "add", "define domain").request("POST", "systems", shop, headers=ASYNC)
    assert answer.status == 202, answer.body
    client = restarted(gateway)
    client.succeed(answer.job, 240)
    system = client.get(answer.headers["location"])
    assert system["state"] == "STARTED"
    assert [client.get(system[name]["href"])["count"] for name in ("machines", "volumes", "networks")] == [3, 3, 1]
    client.remove(system["id"], 240)
    assert ([client.get(name)["count"] for name in COUNTED], left(gateway)) == ([0, 0, 0], [])


def test_a_system_whose_delete_is_killed_is_gone_after_the_restart(
    gateway: GatewayProcess, shop: dict[str, Any]
) -> None:
    url = str(gateway.client().added("systems", shop, 240)["id"])
    answer = killed_after(gateway, "delete", "undefine domain").request("DELETE", url, headers=ASYNC)
    assert answer.status == 202, answer.body
    client = restarted(gateway)
    client.succeed(answer.job, 240)
    assert client.request("GET", url).status == 404
    assert ([client.get(name)["count"] for name in COUNTED], left(gateway)) == ([0, 0, 0], [])
