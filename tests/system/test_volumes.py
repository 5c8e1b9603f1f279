"""Volumes with a real guest: it sees them, writes them, and lets go of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import libvirt
import pytest

from tests import hypervisor
from tests.cimi_client import CimiClient, wait_until
from tests.gateway_process import GatewayProcess
from tests.guests import in_guest, machine_create
from tests.held_guest import held
from tests.system.volumes import CAPACITY, connect, create, device, file_of
from tests.urls import uuid_of

pytestmark = pytest.mark.qemu
NEXT_SYNC = 60


@pytest.fixture
def volume(admin: CimiClient) -> Iterator[str]:
    made = admin.added("volumes", create())["id"]
    yield made
    if admin.request("GET", made).status == 200:
        admin.remove(made)


@pytest.mark.parametrize("disk_format", ["qcow2", "raw"])
def test_a_running_guest_writes_a_volume_and_finds_its_bytes_again(
    admin: CimiClient, guest: str, pool: str, disk_format: str
) -> None:
    volume = admin.added("volumes", create(format=disk_format))["id"]
    assert file_of(pool, volume).endswith(disk_format)
    attachment = connect(admin, guest, volume)
    name = device(guest, volume)
    in_guest(guest, f"dd if=/dev/urandom of=/dev/{name} bs=1M count=4 2>/dev/null; sync")
    written = in_guest(guest, f"dd if=/dev/{name} bs=1M count=4 2>/dev/null | md5sum")
    admin.remove(attachment)
    assert in_guest(guest, f"ls /sys/block/{name} 2>/dev/null; true") == ""
    attachment = connect(admin, guest, volume)
    name = device(guest, volume)
    assert in_guest(guest, f"dd if=/dev/{name} bs=1M count=4 2>/dev/null | md5sum") == written
    admin.remove(attachment)
    admin.remove(volume)
    assert not [name for name in hypervisor.files_in(pool) if uuid_of(volume) in name]


def test_a_running_guest_sees_its_volume_grow(admin: CimiClient, guest: str, volume: str) -> None:
    attachment = connect(admin, guest, volume)
    name = device(guest, volume)
    answer = admin.request("PUT", f"{volume}?$select=capacity", {"capacity": 2 * CAPACITY})
    assert answer.status in (200, 202), answer.body
    admin.succeed(answer.job)
    wait_until(
        lambda: int(in_guest(guest, f"cat /sys/block/{name}/size")) * 512 >= 2 * CAPACITY * 1000,
        30,
        "the guest sees the new size",
    )
    assert admin.get(volume)["capacity"] == 2 * CAPACITY
    admin.remove(attachment)


def test_a_scsi_location_is_a_scsi_disk(admin: CimiClient, guest: str, volume: str) -> None:
    attachment = connect(admin, guest, volume, initialLocation="/dev/sdf")
    assert admin.get(attachment)["initialLocation"] == "/dev/sdf"
    with hypervisor.connection() as host:
        assert "dev='sdf' bus='scsi'" in hypervisor.domain_of(guest, host).XMLDesc(0)
    admin.remove(attachment)


def test_a_held_guest_fails_the_detachment_and_finishes_it_when_it_goes_on(
    admin: CimiClient, guest: str, volume: str
) -> None:
    attachment = connect(admin, guest, volume)
    device(guest, volume)
    admin.acted(guest, "pause")
    answer = admin.request("DELETE", attachment)
    job = admin.finish(answer.job)
    assert job["state"] == "FAILED"
    assert "did not let go" in job["statusMessage"]
    assert admin.get(attachment)["volume"]["href"] == volume
    admin.acted(guest, "start")
    wait_until(lambda: admin.request("GET", attachment).status == 404, NEXT_SYNC, "the guest lets go")
    with hypervisor.connection() as host:
        assert uuid_of(volume) not in hypervisor.domain_of(guest, host).XMLDesc(2)


def test_a_disk_comes_and_goes_while_the_guest_runs(admin: CimiClient, guest: str, pool: str) -> None:
    before = hypervisor.files_in(pool)
    answer = admin.request("POST", f"{guest}/disks", {"capacity": CAPACITY})
    admin.succeed(answer.job)
    disk = admin.get(answer.headers["location"])
    name = disk["initialLocation"].removeprefix("/dev/")
    wait_until(lambda: in_guest(guest, f"ls /sys/block | grep {name}; true") == name, 30, "the guest sees the disk")
    admin.remove(disk["id"])
    assert hypervisor.files_in(pool) == before


def test_a_new_machine_boots_with_its_volumes(admin: CimiClient, image: str, volume: str, pool: str) -> None:
    new = {"volumeConfig": {"capacity": CAPACITY, "format": "raw"}, "initialLocation": "/dev/vdm"}
    document = machine_create(image, "STOPPED", volumes=[{"href": volume}], volumeTemplates=[new])
    machine = admin.added("machines", document)
    entries = admin.get(machine["volumes"]["href"])["machineVolumes"]
    assert {entry["initialLocation"] for entry in entries} == {"/dev/vdb", "/dev/vdm"}
    born = next(entry["volume"]["href"] for entry in entries if entry["initialLocation"] == "/dev/vdm")
    with hypervisor.connection() as host:
        described = hypervisor.domain_of(machine["id"], host).XMLDesc(0)
    assert file_of(pool, volume) in described
    assert file_of(pool, born) in described
    assert admin.request("DELETE", volume).status == 409
    admin.remove(machine["id"])
    admin.remove(born)


def test_what_virsh_does_to_volumes_shows_with_the_next_comparison(
    admin: CimiClient, volume: str, pool: str, gateway: GatewayProcess
) -> None:
    name = file_of(pool, volume)
    xml = "<volume><name>admins.raw</name><capacity>1048576</capacity><target><format type='raw'/></target></volume>"
    with hypervisor.connection() as host:
        held = host.storagePoolLookupByName(pool)
        held.createXML(xml, 0)
        held.storageVolLookupByName(name).resize(64 * 1024**2, 0)
        grown = 64 * 1024**2 // 1000
        wait_until(lambda: admin.get(volume)["capacity"] == grown, NEXT_SYNC, "the new size shows")

        def foreign() -> list[dict[str, Any]]:
            return [v for v in admin.get("volumes").get("volumes", []) if v.get("name") == "admins.raw"]

        shown = wait_until(foreign, NEXT_SYNC, "the foreign volume shows")
        assert admin.request("DELETE", shown[0]["id"]).status == 409
        assert "admins.raw" in hypervisor.files_in(pool)
        held.storageVolLookupByName("admins.raw").delete(0)
        held.storageVolLookupByName(name).delete(0)
        wait_until(lambda: not foreign(), NEXT_SYNC, "the foreign volume is forgotten")
    failed = admin.wait_state(volume, "ERROR", NEXT_SYNC)
    assert "no storage volume" in failed["statusMessage"]


def test_twenty_volumes_are_made_beside_another_clients_refreshes(
    admin: CimiClient, pool: str, gateway: GatewayProcess
) -> None:
    done = threading.Event()

    def refresh() -> None:
        with hypervisor.connection() as host:
            while not done.is_set():
                try:
                    host.storagePoolLookupByName(pool).refresh(0)
                except libvirt.libvirtError as error:
                    assert "asynchronous jobs" in str(error)

    with ThreadPoolExecutor(9) as threads:
        refreshing = threads.submit(refresh)
        try:
            made = list(threads.map(lambda _n: admin.added("volumes", create(1000)), range(20)))
        finally:
            done.set()
        refreshing.result()
        assert {volume["state"] for volume in made} == {"AVAILABLE"}
        list(threads.map(lambda volume: admin.remove(volume["id"]), made))


def test_the_boot_disk_of_a_running_guest_grows_before_its_eyes(admin: CimiClient, guest: str, pool: str) -> None:
    disk = admin.get(f"{guest}/disks")["disks"][0]
    wanted = disk["capacity"] + CAPACITY
    old, written = in_guest(guest, "cat /sys/block/vda/size"), in_guest(guest, "md5sum </dev/vda | cut -d' ' -f1")
    admin.succeed(admin.request("PUT", disk["id"], {"capacity": wanted}).job)
    wait_until(
        lambda: int(in_guest(guest, "cat /sys/block/vda/size")) * 512 >= wanted * 1000,
        30,
        "the guest sees the new size",
    )
    assert in_guest(guest, f"dd if=/dev/vda bs=512 count={old} 2>/dev/null | md5sum | cut -d' ' -f1") == written
    assert admin.get(disk["id"])["capacity"] == wanted
    assert admin.request("PUT", disk["id"], {"capacity": wanted - 1}).status == 400


def test_a_disk_of_a_stopped_machine_grows_in_the_pool(admin: CimiClient, image: str, pool: str) -> None:
    config = {"cpu": 1, "memory": 131072, "disks": [{"capacity": 40_000}, {"capacity": CAPACITY}]}
    machine = admin.added("machines", machine_create(image, "STOPPED", machineConfig=config))["id"]
    for target in ("vda", "vdb"):
        admin.succeed(admin.request("PUT", f"{machine}/disks/{target}", {"capacity": 90_000}).job)
        with hypervisor.connection() as host:
            held = host.storagePoolLookupByName(pool)
            held.refresh(0)
            found = held.storageVolLookupByName(f"cimi-{uuid_of(machine)}-{target}.qcow2")
            assert found.info()[1] >= 90_000_000
    admin.remove(machine)


def test_nothing_of_a_machine_grows_while_a_disk_of_it_is_copied(admin: CimiClient, guest: str, volume: str) -> None:
    attachment = connect(admin, guest, volume)
    with held(guest):
        copying = admin.request("POST", f"{guest}/capture", {}, headers={"Prefer": "respond-async"})
        assert copying.status == 202
        for url in (f"{guest}/disks/vda", volume):
            answer = admin.request("PUT", f"{url}?$select=capacity", {"capacity": 900_000})
            assert (answer.status, "is being copied" in answer.json["statusMessage"]) == (409, True)
    admin.succeed(copying.job)
    admin.remove(copying.headers["location"])
    admin.remove(attachment)
