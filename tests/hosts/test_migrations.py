"""Guests that an admin moves from host to host with virsh: the gateway follows them, and deletes what runs anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.cimi_client import CimiClient, wait_until
from tests.guests import console, machine_create, wait_ready
from tests.hosts.gateway import HostsGateway
from tests.hosts.migration import bring_what_libvirt_does_not, migrate
from tests.hosts.recipe import RemoteHost
from tests.urls import uuid_of

pytestmark = pytest.mark.qemu


@pytest.fixture
def guest(admin: CimiClient, image: str, first: RemoteHost, second: RemoteHost) -> Iterator[str]:
    """A guest that has booted on the first host, and could run on the second."""
    made = str(admin.added("machines", machine_create(image))["id"])
    wait_ready(admin, made)
    bring_what_libvirt_does_not(made, first, second)
    yield made
    if admin.request("GET", made).status == 200:
        admin.remove(made)


@pytest.fixture
def without(gateway: HostsGateway) -> Iterator[Callable[[], None]]:
    """Stops the gateway for a while; it runs again after the test."""

    def stop() -> None:
        assert gateway.stop() == 0

    yield stop
    if gateway.process is None:
        gateway.start()
    wait_until(lambda: gateway.ready() == (200, {"status": "ready", "reasons": []}), 120, "all hosts are up")


def traces(machine: str, host: RemoteHost) -> list[str]:
    """What a host still has of a Machine: domains, files of its pool, console logs."""
    uuid = uuid_of(machine)
    names = host.virsh("list", "--all", "--uuid").split() + [path.name for path in host.images.iterdir()]
    names += [path.name for path in host.consoles.glob("*")]
    return [name for name in names if uuid in name]


def alarms(admin: CimiClient, machine: str) -> list[str]:
    log = admin.get(f"{admin.get(machine)['eventLog']['href']}/events")
    return [str(event["content"].get("code")) for event in log.get("events", []) if event["type"].endswith("/alarm")]


def noticed(admin: CimiClient, machine: str) -> None:
    wait_until(lambda: "moved" in alarms(admin, machine), 60, "the gateway notices the move")


def test_a_guest_that_is_moved_is_followed_and_driven_where_it_runs(
    admin: CimiClient, guest: str, first: RemoteHost, second: RemoteHost
) -> None:
    migrate(guest, first, second, "--undefinesource")
    noticed(admin, guest)
    assert admin.get(guest)["state"] == "STARTED"
    assert "domain-gone" not in alarms(admin, guest)
    admin.acted(guest, "pause")
    assert second.virsh("domstate", uuid_of(guest)) == "paused"
    admin.acted(guest, "start")
    admin.acted(guest, "stop", force=True)
    admin.acted(guest, "start")
    wait_ready(admin, guest)
    assert "READY" in console(admin, guest)


def test_a_guest_whose_definition_stays_behind_is_followed_too(
    admin: CimiClient, guest: str, first: RemoteHost, second: RemoteHost
) -> None:
    migrate(guest, first, second)
    noticed(admin, guest)
    assert admin.get(guest)["state"] == "STARTED"
    admin.remove(guest)
    assert (traces(guest, first), traces(guest, second)) == ([], [])


def test_the_delete_of_a_moved_guest_leaves_nothing_on_either_host(
    admin: CimiClient, guest: str, first: RemoteHost, second: RemoteHost
) -> None:
    migrate(guest, first, second, "--undefinesource")
    noticed(admin, guest)
    assert traces(guest, first), "libvirt leaves the disks on the source"
    admin.remove(guest)
    assert (traces(guest, first), traces(guest, second)) == ([], [])


def test_a_guest_that_is_moved_while_the_gateway_is_stopped_is_found_by_its_start(
    admin: CimiClient,
    gateway: HostsGateway,
    guest: str,
    first: RemoteHost,
    second: RemoteHost,
    without: Callable[[], None],
) -> None:
    without()
    migrate(guest, first, second, "--undefinesource")
    gateway.start()
    noticed(admin, guest)
    assert admin.get(guest)["state"] == "STARTED"


def test_a_guest_that_may_run_on_an_unplugged_host_is_neither_gone_nor_deleted(
    admin: CimiClient,
    gateway: HostsGateway,
    guest: str,
    first: RemoteHost,
    second: RemoteHost,
    without: Callable[[], None],
) -> None:
    """Of a gateway that has never seen it there."""
    without()
    migrate(guest, first, second, "--undefinesource")
    second.unplug()
    gateway.start()
    try:
        wait_until(lambda: "domain-missing" in alarms(admin, guest), 60, "the gateway misses its domain")
        assert admin.get(guest)["state"] == "STARTED"
        answer = admin.request("DELETE", guest)
        assert answer.status == 503
        assert "may be on hv2, which does not answer" in answer.json["statusMessage"]
    finally:
        second.plug()
    noticed(admin, guest)
    assert second.virsh("domstate", uuid_of(guest)) == "running"
    admin.remove(guest)
    assert (traces(guest, first), traces(guest, second)) == ([], [])


def test_a_guest_that_is_deleted_while_it_moves_runs_nowhere_afterwards(
    admin: CimiClient, guest: str, first: RemoteHost, second: RemoteHost
) -> None:
    """Slowly, so that the delete comes into the middle of the copying."""
    flags = "--live --p2p --persistent --undefinesource --copy-storage-inc --unsafe --bandwidth 1"
    first.run("sh", "-c", f"virsh -q migrate {flags} {uuid_of(guest)} '{second.uri}' >/dev/null 2>&1 &")
    wait_until(lambda: uuid_of(guest) in second.virsh("list", "--uuid", "--all"), 60, "it begins to arrive")
    admin.remove(guest)
    wait_until(lambda: not second.virsh("list", "--all", "--uuid").strip(), 60, "it is gone from the second host")
    assert uuid_of(guest) not in first.virsh("list", "--all", "--uuid")
