"""A package of two guests: it is imported, runs, is exported while it runs, and what is imported again runs too."""

from __future__ import annotations

import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from demo.package import build_package
from gateway.ovf.deployment import Group, deploy
from gateway.ovf.package import unpack
from tests import hypervisor
from tests.cimi_client import CimiClient
from tests.gateway_process import PASSWORD, GatewayProcess
from tests.system.conftest import wait_ready
from tests.system.test_volumes import in_guest
from tests.unit.ovf.samples import Kept, in_pieces

pytestmark = pytest.mark.qemu
LONG = 300


def imported(admin: CimiClient, source: Path, **properties: str) -> str:
    """URL of the System that a package became."""
    answer = admin.act("systems", "import", source=f"file://{source}", properties=properties)
    assert answer.status == 202, answer.body
    job = admin.succeed(answer.job, LONG)
    found = [entry["href"] for entry in job["affectedResources"] if "/systems/" in entry["href"]]
    return str(found[0])


def machines(admin: CimiClient, system: str) -> dict[str, str]:
    listed = admin.get(f"{system}/machines")["systemMachines"]
    return {entry["name"]: entry["machine"]["href"] for entry in listed}


def started(admin: CimiClient, system: str) -> dict[str, str]:
    admin.acted(system, "start", LONG)
    found = machines(admin, system)
    for machine in found.values():
        wait_ready(admin, machine)
    return found


def download(location: str) -> bytes:
    login = b64encode(f"admin:{PASSWORD}".encode()).decode()
    request = urllib.request.Request(location, headers={"Authorization": f"Basic {login}"})
    with urllib.request.urlopen(request, timeout=LONG) as answer:
        content: bytes = answer.read()
    return content


@pytest.fixture(scope="module")
def shop(admin: CimiClient, images: Path) -> dict[str, Any]:
    """The running System of the package, and its Machines; the second has written to its second disk."""
    package = build_package(images / "guest.qcow2", images / "shop.ova")
    system = imported(admin, package, **{"ovf.greeting": "hello there"})
    found = started(admin, system)
    in_guest(found["db"], "echo precious | dd of=/dev/vdb conv=fsync 2>/dev/null")
    return {"system": system, **found}


def test_the_guests_of_a_package_run(admin: CimiClient, shop: dict[str, Any]) -> None:
    assert admin.get(shop["system"])["state"] == "STARTED"
    assert 60_000 < int(in_guest(shop["web"], "awk '/MemTotal/ {print $2}' /proc/meminfo")) < 131_072


def test_a_guest_reads_its_environment(shop: dict[str, Any]) -> None:
    told = in_guest(shop["web"], "mount -t iso9660 -o ro /dev/sr0 /mnt 2>/dev/null; cat /mnt/ovf-env.xml")
    assert 'key="greeting" oe:value="hello there"' in told.replace("\n", "")
    assert 'Entity oe:id="db"' in told


async def test_a_running_system_comes_in_again_with_what_its_guests_wrote(
    admin: CimiClient, gateway: GatewayProcess, images: Path, shop: dict[str, Any]
) -> None:
    files = hypervisor.files_in(gateway.pool)
    answer = admin.act(shop["system"], "export")
    admin.succeed(answer.job, LONG)
    assert admin.get(shop["system"])["state"] == "STARTED"
    assert hypervisor.files_in(gateway.pool) == files
    content = download(answer.headers["location"])
    found = await unpack(in_pieces(content, 1024 * 1024), Kept(), 10**10)
    assert found.verified
    deployed = deploy(found.envelope)
    assert isinstance(deployed, Group)
    assert [len(guest.drives) for guest in deployed.guests()] in ([1, 2], [2, 1])
    (images / "again.ova").write_bytes(content)
    again = started(admin, imported(admin, images / "again.ova", name="again"))
    assert in_guest(again["db"], "dd if=/dev/vdb bs=8 count=1 2>/dev/null") == "precious"
