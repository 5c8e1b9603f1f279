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
from tests.guests import in_guest, wait_ready
from tests.unit.ovf.samples import Kept, in_pieces

pytestmark = pytest.mark.qemu
LONG = 300
OWN = 9000
OWN_SECTORS = 9 * 1024 * 1024 // 512


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
    """The running System of the package, and its Machines; the second has written to its Volume and to an own disk."""
    package = build_package(images / "guest.qcow2", images / "shop.ova")
    system = imported(admin, package, **{"ovf.greeting": "hello there"})
    found = started(admin, system)
    in_guest(found["db"], "echo precious | dd of=/dev/vdb conv=fsync 2>/dev/null")
    admin.succeed(admin.request("POST", f"{found['db']}/disks", {"capacity": OWN}).job, LONG)
    in_guest(found["db"], "echo its own | dd of=/dev/vdc conv=fsync 2>/dev/null")
    give_address(admin, system, found["db"])
    return {"system": system, **found}


def give_address(admin: CimiClient, system: str, machine: str) -> None:
    """An Address of the System, which its Machine uses."""
    [interface] = admin.get(f"{machine}/networkInterfaces")["machineNetworkInterfaces"]
    document = {"name": "fixed", "addressTemplate": {"network": interface["network"], "hostname": "db"}}
    address = {"address": {"href": admin.added("addresses", document)["id"]}}
    answer = admin.request("POST", f"{system}/addresses", {"name": "fixed", **address})
    assert answer.status == 201, answer.body
    admin.succeed(admin.request("POST", f"{interface['id']}/addresses", address).job, LONG)


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
    assert [len(guest.drives) for guest in deployed.guests()] in ([1, 3], [3, 1])
    (images / "again.ova").write_bytes(content)
    system = imported(admin, images / "again.ova", name="again")
    again = started(admin, system)
    # Which of them the guest calls vdb is its own affair: it counts by their places on the bus.
    begin = "for d in vdb vdc; do dd if=/dev/$d bs=8 count=1 2>/dev/null; cat /sys/block/$d/size; done"
    told = "".join(in_guest(again["db"], begin).split())
    assert f"itsown{OWN_SECTORS}" in told
    assert "precious" in told
    assert sorted(disk["name"] for disk in admin.get(f"{again['db']}/disks")["disks"]) == ["vda", "vdc"]
    [entry] = admin.get(f"{system}/addresses")["systemAddresses"]
    address = admin.get(entry["address"]["href"])
    assert (entry["name"], address["hostname"]) == ("fixed", "db")
    assert f"inet {address['ip']}/" in in_guest(again["db"], "ip -4 addr show")
