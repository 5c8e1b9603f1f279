"""A Machine's life with a real guest, seen by a CIMI client."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests import hypervisor
from tests.cimi_client import CimiClient, wait_until
from tests.gateway_process import GatewayProcess
from tests.guests import console, machine_create, wait_ready

pytestmark = pytest.mark.qemu
NAMESPACE = "{http://schemas.dmtf.org/cimi/1}"


def test_a_started_machine_runs_a_guest_which_boots_from_the_image(admin: CimiClient, guest: str) -> None:
    assert admin.get(guest)["state"] == "STARTED"
    assert "READY" in console(admin, guest)


def test_the_guests_address_shows_in_the_machines_network_interface(admin: CimiClient, guest: str) -> None:
    interfaces = admin.get(admin.get(guest)["networkInterfaces"]["href"])["machineNetworkInterfaces"]

    def address() -> str | None:
        listed = admin.get(interfaces[0]["addresses"]["href"]).get("machineNetworkInterfaceAddresses", [])
        return str(admin.get(listed[0]["address"]["href"])["ip"]) if listed else None

    assert str(wait_until(address, 40, "an address is known")).startswith("192.168.")


def test_pause_and_start_hold_and_release_the_guest(admin: CimiClient, guest: str) -> None:
    admin.acted(guest, "pause")
    assert admin.get(guest)["state"] == "PAUSED"
    admin.acted(guest, "start")
    assert admin.get(guest)["state"] == "STARTED"


def test_suspend_and_start_continue_the_same_boot(admin: CimiClient, guest: str) -> None:
    boots = console(admin, guest).count("READY")
    admin.acted(guest, "suspend")
    assert admin.get(guest)["state"] == "SUSPENDED"
    admin.acted(guest, "start")
    assert admin.get(guest)["state"] == "STARTED"
    assert console(admin, guest).count("READY") == boots


def test_a_soft_stop_lets_the_guest_power_itself_off_and_start_boots_it_again(admin: CimiClient, guest: str) -> None:
    boots = console(admin, guest).count("READY")
    admin.acted(guest, "stop")
    assert admin.get(guest)["state"] == "STOPPED"
    admin.acted(guest, "start")
    wait_ready(admin, guest, boots + 1)


def test_a_forced_restart_boots_the_guest_anew(admin: CimiClient, guest: str) -> None:
    boots = console(admin, guest).count("READY")
    admin.acted(guest, "restart", force=True)
    wait_ready(admin, guest, boots + 1)
    assert admin.get(guest)["state"] == "STARTED"


def test_an_action_that_is_illegal_now_is_a_conflict_that_says_why(admin: CimiClient, guest: str) -> None:
    answer = admin.request("POST", f"{guest}/start", {"action": "http://schemas.dmtf.org/cimi/1/action/start"})
    assert answer.status == 409
    assert "STARTED" in answer.json["statusMessage"]


def test_user_data_reaches_the_guest_byte_for_byte(admin: CimiClient, image: str) -> None:
    payload = b"Base-64 encoded data"
    made = admin.added("machines", machine_create(image, userData=base64.b64encode(payload).decode()))
    digest = hashlib.md5(payload, usedforsecurity=False).hexdigest()
    wait_until(lambda: f"USERDATA {digest}" in console(admin, made["id"]), 90, "the guest saw its user data")
    admin.remove(made["id"])


def test_two_machines_may_bear_the_same_strange_name(admin: CimiClient, image: str) -> None:
    document = machine_create(image, "STOPPED")
    document["name"] = "<two> & \"one\" 'ö' ]]>"
    made = [admin.added("machines", document) for _ in range(2)]
    assert {machine["name"] for machine in made} == {document["name"]}
    for machine in made:
        admin.remove(machine["id"])


def test_delete_leaves_no_domain_no_disk_and_no_seed(
    admin: CimiClient, image: str, pool: str, gateway: GatewayProcess
) -> None:
    before = hypervisor.files_in(pool)
    domains = hypervisor.domains_using(pool)
    made = admin.added("machines", machine_create(image))
    assert len(hypervisor.files_in(pool)) > len(before)
    admin.remove(made["id"])
    assert admin.request("GET", made["id"]).status == 404
    assert hypervisor.files_in(pool) == before
    assert hypervisor.domains_using(pool) == domains


def test_a_suspended_machine_can_be_deleted(admin: CimiClient, image: str, pool: str) -> None:
    before = hypervisor.files_in(pool)
    made = admin.added("machines", machine_create(image))
    admin.acted(made["id"], "suspend")
    admin.remove(made["id"])
    assert hypervisor.files_in(pool) == before


def test_cpu_and_memory_can_be_edited_while_stopped(admin: CimiClient, image: str) -> None:
    made = admin.added("machines", machine_create(image, "STOPPED"))
    answer = admin.request("PUT", f"{made['id']}?$select=cpu,memory", {"cpu": 2, "memory": 262144})
    assert answer.status in (200, 202), answer.body
    admin.succeed(answer.job)
    edited = admin.get(made["id"])
    assert (edited["cpu"], edited["memory"]) == (2, 262144)
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(made["id"], host)
        assert domain.info()[3] == 2
    admin.remove(made["id"])


def test_an_extra_disk_of_the_configuration_is_there_with_its_capacity(admin: CimiClient, image: str) -> None:
    disks = [{"capacity": 100000, "format": "ext4"}, {"capacity": 50000, "format": "ext4"}]
    document = machine_create(image, "STOPPED", machineConfig={"cpu": 1, "memory": 131072, "disks": disks})
    made = admin.added("machines", document)
    listed = admin.get(made["disks"]["href"])["disks"]
    assert [disk["capacity"] for disk in listed] == [100000, 50000]
    admin.remove(made["id"])


def test_an_xml_client_creates_starts_stops_and_deletes_a_machine(gateway: GatewayProcess, image: str) -> None:
    client = gateway.client("admin", "xml")
    body = f"""<MachineCreate xmlns="http://schemas.dmtf.org/cimi/1"><name> xml </name>
      <machineTemplate><initialState>STOPPED</initialState>
        <machineConfig><cpu>1</cpu><memory>131072</memory></machineConfig>
        <machineImage href="{image}"/></machineTemplate></MachineCreate>""".encode()
    header = {"Content-Type": "application/xml"}
    made = client.request("POST", "machines", body=body, headers=header)
    assert made.status in (201, 202), made.body
    jobs = gateway.client("admin")
    jobs.succeed(made.job)
    location = made.headers["location"]
    machine = ElementTree.fromstring(client.request("GET", location).body)
    assert machine.tag == f"{NAMESPACE}Machine"
    hrefs = {entry.get("rel"): entry.get("href") for entry in machine.findall(f"{NAMESPACE}operation")}
    for verb, force in (("start", ""), ("stop", "<force>true</force>")):
        action = f"http://schemas.dmtf.org/cimi/1/action/{verb}"
        document = f"<Action><action> {action} </action>{force}</Action>".encode()
        answer = client.request("POST", hrefs.get(action) or f"{location}/{verb}", body=document, headers=header)
        assert answer.status == 202, answer.body
        jobs.succeed(answer.job)
    jobs.remove(location)


def test_an_image_outside_the_allowed_directories_is_refused(admin: CimiClient, tmp_path: Path) -> None:
    outside = tmp_path / "outside.img"
    outside.write_bytes(b"\0" * 1024)
    answer = admin.request("POST", "machineImages", {"imageLocation": f"file://{outside}"})
    assert answer.status == 400
    assert "imageLocation" in answer.json["statusMessage"]


def test_the_admin_follows_jobs_on_the_command_line(gateway: GatewayProcess, admin: CimiClient, guest: str) -> None:
    job = admin.act(guest, "pause").job
    followed = gateway.command("jobs", "tail", "-f", job)
    assert "pause domain: begins" in followed
    assert followed.splitlines()[-1].startswith("SUCCESS  100%")
    assert job.rpartition("/cimi/")[2] in gateway.command("jobs", "list")
    assert "state: SUCCESS" in gateway.command("jobs", "show", job)
    assert f"{job.rpartition('/cimi/')[2]}  pause domain: begins" in gateway.command("jobs", "tail")
    admin.acted(guest, "start")


def test_doctor_finds_this_host_fit(gateway: GatewayProcess) -> None:
    report = gateway.command("doctor")
    assert "qemu:///system answers" in report
    assert f"pool {gateway.pool} has" in report
    assert "error" not in report


def test_a_cpu_is_added_to_a_running_machine_at_once(admin: CimiClient, image: str) -> None:
    made = admin.added("machines", machine_create(image))
    answer = admin.request("PUT", f"{made['id']}?$select=cpu", {"cpu": 2})
    admin.succeed(answer.job)
    with hypervisor.connection() as host:
        assert hypervisor.domain_of(made["id"], host).info()[3] == 2
    assert admin.get(made["id"])["cpu"] == 2
    job = admin.succeed(admin.request("PUT", f"{made['id']}?$select=cpu", {"cpu": 1}).job)
    assert "at the next boot" in job["statusMessage"]
    admin.remove(made["id"])
