"""Two hosts over TLS: Machines on them work as on this one, and a host that is away takes nothing else with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cimi_client import CimiClient, wait_until
from tests.guests import console, machine_create, wait_ready
from tests.hosts.gateway import HostsGateway
from tests.hosts.recipe import RemoteHost, run
from tests.urls import uuid_of

pytestmark = pytest.mark.qemu


def domain_of(machine: str, host: RemoteHost) -> ElementTree.Element:
    return ElementTree.fromstring(host.virsh("dumpxml", uuid_of(machine)))


def settled(gateway: HostsGateway) -> None:
    wait_until(lambda: gateway.ready() == (200, {"status": "ready", "reasons": []}), 120, "all hosts are up")


@pytest.fixture(autouse=True)
def whole(gateway: HostsGateway, hosts: list[RemoteHost]) -> Iterator[None]:
    """Whatever a test did to cables and daemons is undone after it."""
    yield
    for host in hosts:
        host.plug()
        host.thaw()
    settled(gateway)


@pytest.fixture(scope="module")
def machine(admin: CimiClient, image: str) -> str:
    """A guest on the first host that has booted."""
    made = str(admin.added("machines", machine_create(image))["id"])
    wait_ready(admin, made)
    return made


@pytest.fixture
def dropped(first: RemoteHost) -> Iterator[str]:
    """The URI of a host that answers no packet: the bridge takes them, brings them to nobody, and nobody says so."""
    address = f"{first.site.net}.77"
    neighbour = (address, "dev", first.site.bridge)
    run("ip", "neighbour", "replace", *neighbour, "lladdr", "02:00:0a:d3:00:77", "nud", "permanent")
    yield f"qemu+tls://{address}/system?pkipath=/nowhere"
    run("ip", "neighbour", "delete", *neighbour)


@pytest.fixture
def another(hosts: list[RemoteHost], images: Path, tmp_path: Path) -> Iterator[Callable[..., HostsGateway]]:
    """A second gateway of a test's own, prepared, with these entries."""
    made: list[HostsGateway] = []

    def of(*entries: tuple[str, str]) -> HostsGateway:
        made.append(HostsGateway(tmp_path / "another", "default", images, entries=entries, hosts=hosts))
        made[-1].prepare()
        return made[-1]

    yield of
    for process in made:
        process.clear()


def test_a_guest_boots_on_a_remote_host_and_its_console_is_read(
    admin: CimiClient, machine: str, first: RemoteHost
) -> None:
    assert "READY" in console(admin, machine)
    assert uuid_of(machine) in first.virsh("list", "--uuid")


def test_its_console_is_kept_where_the_host_keeps_it_whatever_the_uri_ends_with(
    machine: str, first: RemoteHost
) -> None:
    log = domain_of(machine, first).find("devices/serial/log")
    assert log is not None
    assert log.get("file") == f"/var/lib/libvirt/cimi-console/{uuid_of(machine)}.log"
    assert (first.consoles / f"{uuid_of(machine)}.log").stat().st_size > 0


def test_the_type_of_its_domain_is_what_that_host_can(machine: str, first: RemoteHost) -> None:
    """KVM needs the feature of that host's CPU, which libvirt tells with all that the model implies."""
    cpu = first.virsh("domcapabilities", "--virttype", "qemu") and first.run("cat", "/proc/cpuinfo")
    can = bool({"svm", "vmx"} & set(cpu.split()))
    assert domain_of(machine, first).get("type") == ("kvm" if can else "qemu")


def test_while_a_host_is_unplugged_the_gateway_is_ready_and_tells_it(gateway: HostsGateway, second: RemoteHost) -> None:
    second.unplug()
    status, document = wait_until(
        lambda: (answer := gateway.ready())[1]["reasons"] and answer, 60, "the gateway notices"
    )
    assert (status, document["status"]) == (200, "ready")
    assert any(reason.startswith("the hypervisor hv2 is ") for reason in document["reasons"])


def test_while_a_host_is_unplugged_machines_of_the_other_are_made_and_changed(
    admin: CimiClient, gateway: HostsGateway, image: str, second: RemoteHost
) -> None:
    second.unplug()
    wait_until(lambda: gateway.ready()[1]["reasons"], 60, "the gateway notices")
    made = str(admin.added("machines", machine_create(image))["id"])
    admin.acted(made, "stop", force=True)
    admin.remove(made)


def test_the_machine_of_an_unplugged_host_is_read_and_not_changed_and_goes_on_when_it_is_back(
    admin: CimiClient, gateway: HostsGateway, machine: str, first: RemoteHost
) -> None:
    before = admin.get(machine)["state"]
    first.unplug()
    wait_until(lambda: gateway.ready()[1]["reasons"], 60, "the gateway notices")
    assert admin.get(machine)["state"] == before == "STARTED"
    assert admin.request("DELETE", machine).status == 503
    first.plug()
    settled(gateway)
    assert admin.get(machine)["state"] == "STARTED"
    admin.acted(machine, "pause")
    admin.acted(machine, "start")


def test_without_any_host_the_gateway_is_not_ready(gateway: HostsGateway, hosts: list[RemoteHost]) -> None:
    for host in hosts:
        host.unplug()
    wait_until(lambda: gateway.ready()[0] == 503, 60, "the gateway is not ready")


def test_a_frozen_libvirtd_on_one_host_holds_up_neither_the_other_nor_the_end(
    another: Callable[..., HostsGateway], first: RemoteHost, second: RemoteHost
) -> None:
    second.freeze()
    process = another((first.name, first.uri), (second.name, second.uri))
    process.start()
    assert process.ready()[0] == 200
    assert process.client().get("machines")["count"] == 0
    assert process.stop() == 0


def test_a_host_that_drops_packets_holds_up_neither_start_nor_others_nor_the_end(
    another: Callable[..., HostsGateway], first: RemoteHost, images: Path, dropped: str
) -> None:
    """The kernel would try for minutes."""
    process = another(("lost", dropped), (first.name, first.uri))
    assert process.seconds_to_answer() < 30
    status, document = process.ready()
    assert (status, len(document["reasons"])) == (200, 1)
    assert document["reasons"][0].startswith("the hypervisor lost is ")
    began = time.monotonic()
    assert process.stop() == 0
    assert time.monotonic() - began < 60


def test_of_two_entries_that_lead_to_one_libvirt_the_first_is_served_and_the_second_told(
    another: Callable[..., HostsGateway], first: RemoteHost, tmp_path: Path
) -> None:
    """By another URI, as it happens: with the port, and other parameters."""
    again = first.uri.replace(first.address, f"{first.address}:16514") + "&no_tty=1"
    process = another(("a", first.uri), ("b", again))
    process.start()
    reason = "the hypervisor b is not served: it leads to the same libvirt as a"
    wait_until(lambda: reason in process.ready()[1]["reasons"], 60, "the second entry is refused")
    assert process.ready()[0] == 200
    shown = process.client().get("networks")["networks"]
    assert sorted(network["state"] for network in shown) == ["ERROR", "STARTED"]
    assert "two entries lead to one libvirt" in process.log.read_text()


def test_doctor_tells_of_two_entries_that_lead_to_one_libvirt(
    another: Callable[..., HostsGateway], first: RemoteHost
) -> None:
    process = another(("a", first.uri), ("b", first.uri + "&no_tty=1"))
    with pytest.raises(AssertionError, match="leads to the same libvirt as the hypervisor a, and is not served"):
        process.command("doctor")


def leased(host: RemoteHost) -> str:
    return host.virsh("net-dhcp-leases", "default")


def test_the_lease_of_a_deleted_machine_is_given_back_on_its_host_and_no_other(
    admin: CimiClient, image: str, machine: str, first: RemoteHost
) -> None:
    kept = domain_of(machine, first).find("devices/interface/mac")
    made = str(admin.added("machines", machine_create(image))["id"])
    gone = domain_of(made, first).find("devices/interface/mac")
    assert kept is not None
    assert gone is not None
    wait_until(lambda: gone.get("address", "") in leased(first), 240, "its guest has an address")
    admin.remove(made)
    assert gone.get("address", "") not in leased(first)
    assert kept.get("address", "") in leased(first)
    assert "cimi-release" not in first.virsh("list", "--all")
    assert [path.name for path in first.consoles.iterdir() if "cimi-release" in path.name] == []


def test_the_lease_of_an_interface_that_is_unplugged_is_given_back(
    admin: CimiClient, machine: str, first: RemoteHost
) -> None:
    """Of a guest that runs on; its other interface keeps its own."""
    network = admin.get("networks")["networks"]
    default = next(entry["id"] for entry in network if entry["state"] == "STARTED" and entry["name"] == "default")
    answer = admin.request("POST", f"{machine}/networkInterfaces", {"network": {"href": default}})
    assert answer.status in (201, 202), answer.body
    admin.succeed(answer.job)
    mac = admin.get(answer.headers["location"])["macAddress"]
    wait_until(lambda: mac in leased(first), 120, "the second interface has an address")
    admin.remove(answer.headers["location"])
    assert mac not in leased(first)


def test_after_a_power_loss_its_machine_is_stopped_and_starts_again(
    admin: CimiClient, gateway: HostsGateway, machine: str, first: RemoteHost
) -> None:
    first.crash()
    wait_until(lambda: gateway.ready()[1]["reasons"], 60, "the gateway notices")
    assert admin.get(machine)["state"] == "STARTED"
    first.boot()
    settled(gateway)
    admin.wait_state(machine, "STOPPED", 120)
    admin.acted(machine, "start")
    wait_ready(admin, machine, times=2)
