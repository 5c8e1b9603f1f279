"""Snapshots and restore with a real guest: its own memory and disk say whether they are what they were."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from tests import hypervisor
from tests.cimi_client import ACTION, CimiClient, wait_until
from tests.gateway_process import GatewayProcess
from tests.guest_marks import disk_mark, mark, memory_mark
from tests.guests import console, in_guest, machine_create, wait_ready
from tests.urls import uuid_of

pytestmark = pytest.mark.qemu
METADATA = Path("/var/lib/libvirt/qemu/snapshot")


@pytest.fixture
def machine(admin: CimiClient, guest: str) -> Iterator[str]:
    """The module's guest, running; its snapshots of one test are gone before the next."""
    if admin.get(guest)["state"] != "STARTED":
        boot(admin, guest)
    yield guest
    while latest := admin.get(guest).get("latestSnapshot"):
        admin.remove(latest["href"])


def boot(admin: CimiClient, machine: str) -> None:
    boots = console(admin, machine).count("READY")
    admin.acted(machine, "start")
    wait_ready(admin, machine, boots + 1)


def snapshot(admin: CimiClient, machine: str, **document: object) -> str:
    answer = admin.request("POST", f"{machine}/snapshot", dict(document))
    assert answer.status in (201, 202), answer.body
    admin.succeed(answer.job)
    return answer.headers["location"]


def restore(admin: CimiClient, machine: str, image: str) -> None:
    admin.acted(machine, "restore", image={"href": image})


def snapshots_in_disk(gateway: GatewayProcess, machine: str) -> list[str]:
    """Names of the snapshots that QEMU sees in the boot disk's file."""
    path = hypervisor.POOLS / gateway.pool / f"cimi-{uuid_of(machine)}-vda.qcow2"
    listed = subprocess.run(["qemu-img", "snapshot", "-l", "-U", path], capture_output=True, text=True, check=True)
    return [line.split()[1] for line in listed.stdout.splitlines()[2:]]


def test_restore_brings_memory_and_disk_of_a_running_guest_back_without_a_boot(admin: CimiClient, machine: str) -> None:
    boots = console(admin, machine).count("READY")
    mark(machine, "before")
    taken = snapshot(admin, machine, name="s")
    mark(machine, "after")
    restore(admin, machine, taken)
    assert admin.get(machine)["state"] == "STARTED"
    assert (memory_mark(machine), disk_mark(machine)) == ("before", "before")
    assert console(admin, machine).count("READY") == boots


def test_restore_from_stopped_starts_the_guest_where_it_was(admin: CimiClient, machine: str) -> None:
    mark(machine, "before")
    taken = snapshot(admin, machine)
    mark(machine, "after")
    admin.acted(machine, "stop", force=True)
    restore(admin, machine, taken)
    assert admin.get(machine)["state"] == "STARTED"
    assert (memory_mark(machine), disk_mark(machine)) == ("before", "before")


def test_restore_from_suspended_drops_the_suspended_state_for_good(admin: CimiClient, machine: str) -> None:
    mark(machine, "before")
    taken = snapshot(admin, machine)
    mark(machine, "after")
    admin.acted(machine, "suspend")
    restore(admin, machine, taken)
    with hypervisor.connection() as host:
        assert not hypervisor.domain_of(machine, host).hasManagedSaveImage()
    assert (memory_mark(machine), disk_mark(machine)) == ("before", "before")


def test_a_paused_guest_goes_back_to_paused(admin: CimiClient, machine: str) -> None:
    mark(machine, "before")
    admin.acted(machine, "pause")
    taken = snapshot(admin, machine)
    admin.acted(machine, "start")
    mark(machine, "after")
    restore(admin, machine, taken)
    assert admin.get(machine)["state"] == "PAUSED"
    admin.acted(machine, "start")
    assert (memory_mark(machine), disk_mark(machine)) == ("before", "before")


def test_a_snapshot_of_a_stopped_machine_holds_its_disk_and_goes_back_to_stopped(
    admin: CimiClient, machine: str
) -> None:
    mark(machine, "before")
    admin.acted(machine, "stop", force=True)
    taken = snapshot(admin, machine)
    boot(admin, machine)
    mark(machine, "after")
    restore(admin, machine, taken)
    assert admin.get(machine)["state"] == "STOPPED"
    boot(admin, machine)
    assert (memory_mark(machine), disk_mark(machine)) == ("", "before")


def test_a_snapshot_of_the_disks_only_does_not_hold_the_guest_up_and_goes_back_to_stopped(
    admin: CimiClient, machine: str
) -> None:
    mark(machine, "before")
    taken = snapshot(admin, machine, properties={"disksOnly": "true"})
    assert (admin.get(machine)["state"], memory_mark(machine)) == ("STARTED", "before")
    mark(machine, "after")
    restore(admin, machine, taken)
    assert admin.get(machine)["state"] == "STOPPED"
    boot(admin, machine)
    assert disk_mark(machine) == "before"


def test_each_of_three_snapshots_stays_good_when_the_middle_one_goes(
    admin: CimiClient, machine: str, gateway: GatewayProcess
) -> None:
    taken = []
    for text, properties in (("one", {}), ("two", {"disksOnly": "true"}), ("three", {})):
        mark(machine, text)
        taken.append(snapshot(admin, machine, properties=properties))
    admin.remove(taken[1])
    assert admin.get(taken[2])["relatedImage"]["href"] == taken[0]
    assert snapshots_in_disk(gateway, machine) == [uuid_of(taken[0]), uuid_of(taken[2])]
    for image, text in ((taken[0], "one"), (taken[2], "three")):
        restore(admin, machine, image)
        assert (memory_mark(machine), disk_mark(machine)) == (text, text)
        assert admin.get(machine)["latestSnapshot"]["href"] == image


def test_a_snapshot_deleted_while_the_machine_is_stopped_leaves_the_disk_as_it_is(
    admin: CimiClient, machine: str, gateway: GatewayProcess
) -> None:
    taken = snapshot(admin, machine)
    mark(machine, "after")
    admin.acted(machine, "stop", force=True)
    admin.remove(taken)
    assert snapshots_in_disk(gateway, machine) == []
    boot(admin, machine)
    assert disk_mark(machine) == "after"


def test_a_machine_renamed_and_resized_since_keeps_its_name_and_gets_its_size_back(
    admin: CimiClient, machine: str
) -> None:
    taken = snapshot(admin, machine)
    answer = admin.request("PUT", f"{machine}?$select=name,cpu", {"name": "renamed", "cpu": 2})
    admin.succeed(answer.job)
    restore(admin, machine, taken)
    document = admin.get(machine)
    assert (document["name"], document["cpu"]) == ("renamed", 1)
    with hypervisor.connection() as host:
        title = hypervisor.domain_of(machine, host).metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None)
    assert title == "renamed"


def test_a_writable_raw_disk_is_refused_with_the_reason_and_nothing_happens(
    admin: CimiClient, machine: str, gateway: GatewayProcess
) -> None:
    raw = hypervisor.POOLS / gateway.pool / "plugged.raw"
    raw.write_bytes(bytes(1024**2))
    xml = f"""<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{raw}'/>
      <target dev='vdz' bus='virtio'/></disk>"""
    with hypervisor.connection() as host:
        hypervisor.domain_of(machine, host).attachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
        answer = admin.request("POST", f"{machine}/snapshot", {})
        hypervisor.domain_of(machine, host).detachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    raw.unlink()
    assert answer.status == 501
    assert "raw" in answer.json["statusMessage"]
    assert admin.get(machine)["state"] == "STARTED"


def test_an_external_snapshot_taken_outside_is_not_mixed_with(
    admin: CimiClient, machine: str, gateway: GatewayProcess
) -> None:
    flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(machine, host)
        xml = "<domainsnapshot><name>outside</name></domainsnapshot>"
        outside = domain.snapshotCreateXML(xml, flags)
        answer = admin.request("POST", f"{machine}/snapshot", {})
        disk = str(hypervisor.POOLS / gateway.pool / f"cimi-{uuid_of(machine)}-vda.qcow2")
        domain.blockCommit("vda", disk, None, 0, libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE)
        wait_until(lambda: _pivoted(domain), 30, "the overlay is merged")
        outside.delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
    (hypervisor.POOLS / gateway.pool / f"cimi-{uuid_of(machine)}-vda.outside").unlink()
    assert answer.status == 409
    assert "external" in answer.json["statusMessage"]


def _pivoted(domain: libvirt.virDomain) -> bool:
    try:
        domain.blockJobAbort("vda", libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
    except libvirt.libvirtError:
        return False
    return True


def test_deleting_a_machine_with_snapshots_leaves_nothing(
    admin: CimiClient, image: str, gateway: GatewayProcess
) -> None:
    made = admin.added("machines", machine_create(image))["id"]
    taken = [snapshot(admin, made) for _ in range(2)]
    admin.remove(made)
    for entry in taken:
        assert admin.request("GET", entry).status == 404
    assert not [name for name in hypervisor.files_in(gateway.pool) if uuid_of(made) in name]
    assert not (METADATA / f"cimi-{uuid_of(made)}").exists()
    assert admin.get("machineImages?$filter=type='SNAPSHOT'")["count"] == 0


@pytest.fixture
def volume(admin: CimiClient, machine: str) -> Iterator[str]:
    """A qcow2 Volume that the running guest has at /dev/vdb."""
    template = {"volumeTemplate": {"volumeConfig": {"capacity": 8_000, "format": "qcow2"}}}
    made = str(admin.added("volumes", template)["id"])
    connect(admin, machine, made)
    yield made
    while latest := admin.get(machine).get("latestSnapshot"):
        admin.remove(latest["href"])
    for entry in admin.get(f"{machine}/volumes").get("machineVolumes", []):
        admin.remove(entry["id"])
    admin.remove(made)


def connect(admin: CimiClient, machine: str, volume: str) -> str:
    answer = admin.request("POST", f"{machine}/volumes", {"volume": {"href": volume}, "initialLocation": "/dev/vdb"})
    admin.succeed(answer.job)
    return answer.headers["location"]


def test_a_snapshot_holds_the_volumes_of_the_machine_too(admin: CimiClient, machine: str, volume: str) -> None:
    write = "echo {} | dd of=/dev/vdb bs=512 conv=sync 2>/dev/null; sync"
    wait_until(lambda: in_guest(machine, "ls /sys/block | grep vdb; true") == "vdb", 30, "the guest sees the Volume")
    in_guest(machine, write.format("before"))
    mark(machine, "before")
    taken = snapshot(admin, machine)
    mark(machine, "after")
    in_guest(machine, write.format("after"))
    attachment = admin.get(f"{machine}/volumes")["machineVolumes"][0]["id"]
    for refused in (attachment, volume):
        assert admin.request("DELETE", refused).status == 409
    restore(admin, machine, taken)
    look = "echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/vdb bs=512 count=1 2>/dev/null | tr -d '\\000'"
    assert in_guest(machine, look) == "before"
    assert (memory_mark(machine), disk_mark(machine)) == ("before", "before")
    assert admin.get(volume)["state"] == "AVAILABLE"


def test_a_raw_volume_takes_the_offer_of_snapshots_away_until_it_is_gone(admin: CimiClient, machine: str) -> None:
    template = {"volumeTemplate": {"volumeConfig": {"capacity": 8_000, "format": "raw"}}}
    volume = str(admin.added("volumes", template)["id"])
    attachment = connect(admin, machine, volume)
    assert admin.operation(admin.get(machine), "snapshot") is None
    answer = admin.request("POST", f"{machine}/snapshot", {})
    assert (answer.status, "raw" in answer.json["statusMessage"]) == (501, True)
    admin.remove(attachment)
    admin.remove(volume)
    assert admin.operation(admin.get(machine), "snapshot") is not None


def test_a_snapshot_deleted_with_virsh_is_in_error_and_its_image_can_be_deleted(
    admin: CimiClient, machine: str, gateway: GatewayProcess
) -> None:
    mark(machine, "kept")
    gone, there = snapshot(admin, machine), snapshot(admin, machine)
    with hypervisor.connection() as host:
        hypervisor.domain_of(machine, host).snapshotLookupByName(uuid_of(gone)).delete(0)
    admin.wait_state(gone, "ERROR", 60)
    answer = admin.request("POST", f"{machine}/restore", {"action": ACTION + "restore", "image": {"href": gone}})
    assert answer.status == 409
    admin.remove(gone)
    assert snapshots_in_disk(gateway, machine) == [uuid_of(there)]
    restore(admin, machine, there)
    assert (memory_mark(machine), disk_mark(machine)) == ("kept", "kept")


def test_a_snapshot_taken_with_virsh_is_left_alone_and_goes_with_its_machine(
    admin: CimiClient, image: str, gateway: GatewayProcess
) -> None:
    made = admin.added("machines", machine_create(image, "STOPPED"))["id"]
    xml = "<domainsnapshot><name>by-hand</name></domainsnapshot>"
    with hypervisor.connection() as host:
        hypervisor.domain_of(made, host).snapshotCreateXML(xml, 0)
    own = snapshot(admin, made)
    assert snapshots_in_disk(gateway, made) == ["by-hand", uuid_of(own)]
    admin.remove(own)
    assert snapshots_in_disk(gateway, made) == ["by-hand"]
    admin.remove(made)
    assert not [name for name in hypervisor.files_in(gateway.pool) if uuid_of(made) in name]
    assert not (METADATA / f"cimi-{uuid_of(made)}").exists()
