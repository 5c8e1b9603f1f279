"""What reaches a guest, what it does on its own, and that nothing of it stays: seen by clients and by virsh."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.guest_image import build
from demo.guest_shell import run_in_guest
from drivers.passwords import sha512_crypt
from tests import hypervisor
from tests.cimi_client import CimiClient, wait_until
from tests.guests import console, in_guest, machine_create, wait_ready
from tests.urls import uuid_of

pytestmark = pytest.mark.qemu
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq0000000000000000000000000000000000000000 ops@example"
PASSWORD = "corréct horse"
PAYLOAD = b"\x00\xffexactly these bytes"
SOON = 20.0
STATE = Path("/var/lib/libvirt/qemu")


@pytest.fixture(scope="module")
def credential(admin: CimiClient) -> str:
    template = {"userName": "ops", "password": PASSWORD, "key": KEY}
    return str(admin.added("credentials", {"credentialTemplate": template})["id"])


@pytest.fixture(scope="module")
def machine(admin: CimiClient, image: str, credential: str) -> Iterator[str]:
    """A running Machine with a credential and user data."""
    document = machine_create(image, credential={"href": credential}, userData=base64.b64encode(PAYLOAD).decode())
    made = admin.added("machines", {**document, "name": "Web Server 1"})
    wait_ready(admin, made["id"])
    yield str(made["id"])


def test_the_credential_is_in_the_guests_seed_as_user_hash_and_key(machine: str) -> None:
    vendor = json.loads(in_guest(machine, "cat /mnt/vendor-data").partition("#cloud-config")[2])
    user = vendor["users"][0]
    assert (user["name"], user["ssh_authorized_keys"]) == ("ops", [KEY])
    assert user["passwd"] == sha512_crypt(PASSWORD, user["passwd"].split("$")[2])


def test_the_machines_name_becomes_the_guests(machine: str) -> None:
    assert in_guest(machine, "hostname").strip() == "web-server-1"


def test_a_soft_restart_boots_anew_with_the_same_user_data(admin: CimiClient, machine: str) -> None:
    admin.acted(machine, "restart")
    assert admin.get(machine)["state"] == "STARTED"
    wait_ready(admin, machine, 2)
    assert in_guest(machine, "md5sum /mnt/cimi/user-data").split()[0] == hashlib.md5(PAYLOAD).hexdigest()


def test_a_guest_that_reboots_itself_stays_started(admin: CimiClient, machine: str) -> None:
    boots = console(admin, machine).count("READY")
    run_in_guest(uuid_of(machine), "(sleep 1; reboot -f) & true")
    wait_ready(admin, machine, boots + 1)
    assert admin.get(machine)["state"] == "STARTED"


def test_memory_is_taken_from_a_running_guest_at_once(admin: CimiClient, machine: str) -> None:
    answer = admin.request("PUT", f"{machine}?$select=memory", {"memory": 114688})
    assert not admin.succeed(answer.job).get("statusMessage")
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(machine, host)
        wait_until(lambda: domain.info()[2] == 114688, 30, "the guest gave memory back")


def test_memory_beyond_what_the_guest_booted_with_comes_at_the_next_boot_and_the_job_says_so(
    admin: CimiClient, machine: str
) -> None:
    answer = admin.request("PUT", f"{machine}?$select=memory", {"memory": 196608})
    assert "next boot" in admin.succeed(answer.job)["statusMessage"]
    admin.acted(machine, "restart", force=True)
    with hypervisor.connection() as host:
        assert hypervisor.domain_of(machine, host).info()[1] == 196608


def test_a_soft_stop_of_a_paused_guest_lets_it_go_on_and_power_off(admin: CimiClient, machine: str) -> None:
    boots = console(admin, machine).count("READY")
    admin.acted(machine, "restart", force=True)
    wait_ready(admin, machine, boots + 1)
    admin.acted(machine, "pause")
    admin.acted(machine, "stop")
    assert admin.get(machine)["state"] == "STOPPED"
    admin.acted(machine, "start")
    wait_ready(admin, machine, boots + 2)


def test_a_kernel_panic_shows_as_an_error_which_start_mends(admin: CimiClient, machine: str) -> None:
    run_in_guest(uuid_of(machine), "(sleep 1; echo c >/proc/sysrq-trigger) & true")
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(machine, host)
        wait_until(lambda: not domain.isActive(), 60, "libvirt notices the panic")
    admin.wait_state(machine, "ERROR", SOON)
    admin.acted(machine, "start")
    assert admin.get(machine)["state"] == "STARTED"


@pytest.mark.parametrize("state", ["PAUSED", "SUSPENDED"])
def test_a_machine_can_begin_its_life_held(admin: CimiClient, image: str, state: str) -> None:
    made = admin.added("machines", machine_create(image, state))
    assert made["state"] == state
    admin.acted(made["id"], "start")
    assert admin.get(made["id"])["state"] == "STARTED"
    admin.remove(made["id"])


def test_nothing_of_a_removed_guest_stays_no_lease_no_console_no_disk(admin: CimiClient, image: str, pool: str) -> None:
    before = hypervisor.files_in(pool)
    made = admin.added("machines", machine_create(image))
    mac = admin.get(made["networkInterfaces"]["href"])["machineNetworkInterfaces"][0]["macAddress"]
    with hypervisor.connection() as host:
        network = host.networkLookupByName("default")
        wait_until(lambda: network.DHCPLeases(mac), 90, "the guest has a lease")
        admin.remove(made["id"])
        wait_until(lambda: not network.DHCPLeases(mac), 10, "the lease is given back")
        logs = host.storagePoolLookupByName("cimi-console")
        logs.refresh(0)
        assert not [name for name in logs.listVolumes() if name.startswith(uuid_of(made["id"]))]
    assert hypervisor.files_in(pool) == before


@pytest.fixture(scope="module")
def uefi_image(admin: CimiClient, images: Path) -> str:
    build(images / "uefi.qcow2", "uefi")
    return str(admin.added("machineImages", {"imageLocation": f"file://{images / 'uefi.qcow2'}"})["id"])


def left_of(machine: str) -> list[str]:
    """Files that libvirt keeps for a domain beside its disks: NVRAM, saved state."""
    return [path.name for folder in ("nvram", "save") for path in (STATE / folder).glob(f"*{uuid_of(machine)}*")]


def test_an_image_that_needs_uefi_boots_by_it_and_its_nvram_and_saved_state_go_with_the_machine(
    admin: CimiClient, uefi_image: str
) -> None:
    config = {"cpu": 1, "memory": 262144}
    machine = admin.added("machines", machine_create(uefi_image, machineConfig=config))["id"]
    wait_ready(admin, machine)
    assert in_guest(machine, "ls -d /sys/firmware/efi").strip() == "/sys/firmware/efi"
    admin.acted(machine, "suspend")
    assert len(left_of(machine)) == 2
    admin.remove(machine)
    assert left_of(machine) == []


def test_a_property_of_the_image_decides_the_firmware(admin: CimiClient, image: str, uefi_image: str) -> None:
    admin.request("PUT", f"{uefi_image}?$select=properties", {"properties": {"firmware": "bios"}})
    made = admin.added("machines", machine_create(uefi_image, "STOPPED"))
    with hypervisor.connection() as host:
        assert "firmware=" not in hypervisor.domain_of(made["id"], host).XMLDesc(0)
    admin.remove(made["id"])
    admin.request("PUT", f"{uefi_image}?$select=properties", {"properties": {"firmware": "coreboot"}})
    answer = admin.request("POST", "machines", machine_create(uefi_image, "STOPPED"))
    assert answer.status == 400
    assert "firmware" in answer.json["statusMessage"]
    admin.request("PUT", f"{uefi_image}?$select=properties", {"properties": {}})


def test_an_x86_machine_of_32_bits_can_be_made(admin: CimiClient, image: str) -> None:
    config = {"cpu": 1, "memory": 131072, "cpuArch": "x86"}
    made = admin.added("machines", machine_create(image, machineConfig=config))
    assert (made["cpuArch"], made["state"]) == ("x86", "STARTED")
    admin.remove(made["id"])
