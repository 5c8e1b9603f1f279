"""A System of two real guests with a Volume each on one private network: made, moved, watched and removed as one."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import libvirt
import pytest

from demo.guest_shell import run_in_guest
from tests import hypervisor
from tests.cimi_client import CimiClient, wait_until
from tests.gateway_process import GatewayProcess
from tests.guests import in_guest, wait_ready
from tests.system.systems import descriptor, whole
from tests.urls import uuid_of

pytestmark = pytest.mark.qemu
PATIENCE = 300.0
"""Seconds for what real guests do on a busy machine."""


@pytest.fixture(scope="module")
def system(admin: CimiClient, image: str) -> Iterator[str]:
    """URL of the System; both guests have booted."""
    web = {
        "machineConfig": {"cpu": 1, "memory": 131072},
        "machineImage": {"href": image},
        "networkInterfaces": [{"network": {"href": "#front"}}],
        "volumes": [{"href": "#data"}],
    }
    url = str(
        admin.added(
            "systems",
            whole(
                descriptor("Machine", web, "web", quantity=2),
                descriptor("Volume", {"volumeConfig": {"capacity": 16000}}, "data", quantity=2),
                descriptor("Network", {"networkConfig": {"networkType": "PRIVATE"}}, "front"),
            ),
            PATIENCE,
        )["id"]
    )
    for machine in machines(admin, url).values():
        wait_ready(admin, machine, seconds=PATIENCE)
    yield url
    if admin.request("GET", url).status == 200:
        admin.remove(url, PATIENCE)


def machines(admin: CimiClient, system: str) -> dict[str, str]:
    """Name to URL."""
    listed = admin.get(admin.get(system)["machines"]["href"])
    return {entry["name"]: entry["machine"]["href"] for entry in listed.get("systemMachines", [])}


def address(admin: CimiClient, machine: str) -> str:
    def found() -> str | None:
        interface = admin.get(admin.get(machine)["networkInterfaces"]["href"])["machineNetworkInterfaces"][0]
        listed = admin.get(interface["addresses"]["href"] + "?$expand=address")
        ips = [entry["address"]["ip"] for entry in listed.get("machineNetworkInterfaceAddresses", [])]
        return next((ip for ip in ips if ":" not in ip), None)

    return wait_until(found, PATIENCE, f"{machine} has an address") or ""


def test_the_guests_have_their_volumes_and_reach_each_other_on_their_network(admin: CimiClient, system: str) -> None:
    assert admin.get(system)["state"] == "STARTED"
    found = machines(admin, system)
    assert sorted(found) == ["web1", "web2"]
    for machine in found.values():
        connected = admin.get(admin.get(machine)["volumes"]["href"])["machineVolumes"]
        serial = uuid_of(connected[0]["volume"]["href"])[:20]
        assert in_guest(machine, f"grep -l {serial} /sys/block/*/serial")
    ip = address(admin, found["web2"])
    wait_until(
        lambda: run_in_guest(uuid_of(found["web1"]), f"ping -c 1 -W 2 {ip}", 60)[0] == 0, PATIENCE, f"{ip} answers"
    )


def test_pausing_and_going_on_moves_both_guests(admin: CimiClient, system: str) -> None:
    admin.acted(system, "pause", PATIENCE)
    with hypervisor.connection() as host:
        states = [hypervisor.domain_of(machine, host).state()[0] for machine in machines(admin, system).values()]
    assert states == [libvirt.VIR_DOMAIN_PAUSED] * 2
    assert admin.get(system)["state"] == "PAUSED"
    admin.acted(system, "start", PATIENCE)
    assert admin.get(system)["state"] == "STARTED"


def test_a_guest_that_an_admin_suspends_with_virsh_makes_it_mixed_and_is_told(admin: CimiClient, system: str) -> None:
    one = machines(admin, system)["web1"]
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(one, host)
        domain.suspend()
        admin.wait_state(system, "MIXED")
        domain.resume()
    admin.wait_state(system, "STARTED")
    log = admin.get(system)["eventLog"]["href"]
    told = [event["content"] for event in admin.get(f"{log}/events")["events"] if "content" in event]
    assert [entry["resource"]["href"] for entry in told if entry.get("state") == "PAUSED"][-1:] == [one]


def test_stopping_shuts_both_guests_down_and_names_the_jobs_of_each(admin: CimiClient, system: str) -> None:
    # A guest that has just gone on may miss the first press of its power button.
    job = admin.acted(system, "stop", PATIENCE, properties={"timeout": "240"})
    targets = {admin.get(entry["href"])["targetResource"]["href"] for entry in job["nestedJobs"]}
    assert targets == set(machines(admin, system).values())
    assert admin.get(system)["state"] == "STOPPED"
    admin.acted(system, "start", PATIENCE)
    assert admin.get(system)["state"] == "STARTED"


def test_a_create_that_fails_leaves_nothing_in_libvirt(
    admin: CimiClient, image: str, gateway: GatewayProcess, system: str
) -> None:
    before = traces(gateway)
    web: dict[str, Any] = {
        "machineConfig": {"cpu": 1, "memory": 65536},
        "machineImage": {"href": image},
        "volumes": [{"href": "#data"}],
    }
    *_, wished = (str(found) for found in ipaddress.ip_network(gateway.ranges[0]).subnets(new_prefix=24))
    document = whole(
        descriptor("Machine", web, "web"),
        descriptor("Volume", {"volumeConfig": {"capacity": 16000}}, "data"),
        descriptor("Network", {"networkConfig": {"networkType": "PRIVATE", "cidr": wished}}, "one"),
        descriptor("Network", {"networkConfig": {"networkType": "PRIVATE", "cidr": wished}}, "other"),
    )
    job = admin.finish(_begun(admin, document), PATIENCE)
    assert job["state"] == "FAILED"
    assert f"networkTemplate.networkConfig.cidr: {wished} overlaps" in job["statusMessage"]
    assert traces(gateway) == before


def _begun(admin: CimiClient, document: dict[str, Any]) -> str:
    answer = admin.request("POST", "systems", document, headers={"Prefer": "respond-async"})
    assert answer.status == 202, answer.body
    return answer.job


def traces(gateway: GatewayProcess) -> list[str]:
    files = hypervisor.files_in(gateway.pool)
    domains = hypervisor.domains_using(gateway.pool)
    return sorted([*files, *domains, *hypervisor.networks_in(gateway.ranges[0])])


def test_deleting_it_takes_guests_volumes_and_network_along(
    admin: CimiClient, gateway: GatewayProcess, system: str
) -> None:
    admin.remove(system, PATIENCE)
    assert all(name.startswith("cimi-image-") for name in traces(gateway))
    assert [admin.get(name)["count"] for name in ("systems", "machines", "volumes")] == [0, 0, 0]
