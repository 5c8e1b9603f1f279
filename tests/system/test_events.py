"""Events of real guests: what the hypervisor, an admin with virsh and the guest itself do is told as it happens."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import Any

import libvirt
import pytest
from cimi_client import Login, Message, Server, SyncClient

from demo.guest_shell import run_in_guest
from gateway.orchestration.reconciliation import COMPARE_EVERY
from tests import hypervisor
from tests.cimi_client import CimiClient, wait_until
from tests.gateway_process import PASSWORD, GatewayProcess
from tests.guests import machine_create, wait_ready
from tests.held_guest import qemu_of

pytestmark = pytest.mark.qemu
BY_AN_EVENT = COMPARE_EVERY / 3
"""Seconds that no change takes which libvirt's event tells; the comparison takes half of its period on average."""
SOON = 20.0
WATCHDOG = "<watchdog model='i6300esb' action='none'/>"
WIND_UP = (
    "device=$(dirname $(grep -l 0x25ab /sys/bus/pci/devices/*/device)); echo 1 >$device/enable; "
    "read -r registers rest <$device/resource; unlock=$((registers + 12)); "
    "for timer in 0 4; do "
    "devmem $unlock 16 0x80; devmem $unlock 16 0x86; devmem $((registers + timer)) 32 0x400; "
    "done; "
    r"printf '\002' | dd of=$device/config bs=1 seek=104 count=1 conv=notrunc 2>/dev/null"
)
"""What a driver does: each of the watchdog's two timers gets a second, and it runs. Nobody winds it up again."""
EVENT = "http://schemas.dmtf.org/cimi/1/event/"


@pytest.fixture(scope="module")
def machine(admin: CimiClient, image: str) -> Iterator[str]:
    """A running guest to which an admin has given a watchdog."""
    made = admin.added("machines", machine_create(image, "STOPPED"))
    with hypervisor.connection() as host:
        hypervisor.domain_of(made["id"], host).attachDeviceFlags(WATCHDOG, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    admin.acted(made["id"], "start")
    wait_ready(admin, made["id"])
    yield made["id"]


def events(client: CimiClient, machine: str, kind: str) -> list[dict[str, Any]]:
    log = client.get(machine)["eventLog"]["href"]
    return list(client.get(f"{log}/events?$filter=type='{kind}'").get("events", []))


def last(client: CimiClient, machine: str, kind: str) -> dict[str, Any]:
    return ([{}, *events(client, machine, kind)])[-1]


@pytest.fixture
def stream(gateway: GatewayProcess) -> Iterator[Iterator[Message]]:
    """The messages of the live stream; opened and caught up when a test begins."""
    with SyncClient(Server(gateway.base, Login("admin", PASSWORD))) as client:
        messages = client.live()
        next(messages)
        yield messages


def test_virsh_changes_are_state_events_at_once(admin: CimiClient, machine: str) -> None:
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(machine, host)
        for change, state, before in ((domain.suspend, "PAUSED", "STARTED"), (domain.resume, "STARTED", "PAUSED")):
            change()
            told = wait_told(admin, machine, state)
            assert told["content"]["previous"] == before
            assert told["description"] == "changed outside the gateway"


def wait_told(admin: CimiClient, machine: str, state: str) -> dict[str, Any]:
    def told() -> dict[str, Any] | None:
        event = last(admin, machine, "state")
        return event if event["content"]["state"] == state else None

    return wait_until(told, SOON, f"{state} is told") or {}


def test_a_guest_that_reboots_itself_is_told(admin: CimiClient, machine: str) -> None:
    run_in_guest(machine.rpartition("/")[2], "(sleep 1; reboot -f) & true")
    wait_until(lambda: last(admin, machine, "state").get("description") == "the guest rebooted", 30, "it is told")


def test_the_watchdog_of_a_guest_that_hangs_raises_an_alarm(admin: CimiClient, machine: str) -> None:
    wait_ready(admin, machine, 2)
    assert run_in_guest(machine.rpartition("/")[2], WIND_UP)[0] == 0
    told = wait_until(lambda: last(admin, machine, "alarm"), 30, "an alarm is told")
    assert (told["content"]["code"], told["outcome"], told["severity"]) == ("watchdog", "Warning", "high")
    assert told["content"]["detail"] == "nothing was done"


def test_a_killed_qemu_raises_an_alarm_by_its_event_in_the_log_and_in_the_stream(
    admin: CimiClient, stream: Iterator[Message], machine: str
) -> None:
    delays = []
    for times in (1, 2, 3):
        kill_qemu(machine)
        began = time.monotonic()
        told = wait_until(partial(fault_of, admin, machine, times), SOON, "an alarm is told")
        delays.append(time.monotonic() - began)
        assert told["severity"] == "critical"
        assert "QEMU" in told["content"]["detail"]
        # libvirt may tell besides that it lost control of the process.
        alarms = (message.resource for message in stream if message.resource.text("type") == EVENT + "alarm")
        live = next(alarm for alarm in alarms if alarm.part("content").text("code") == "fault")
        assert live.document["content"] == told["content"]
        admin.acted(machine, "start")
    # The middle one: a busy host may hold one of them up.
    assert median(delays) < BY_AN_EVENT, delays


def kill_qemu(machine: str) -> None:
    """And wait until libvirt has noticed, which takes it a moment."""
    os.kill(qemu_of(machine), signal.SIGKILL)
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(machine, host)
        wait_until(lambda: not domain.isActive(), SOON, "libvirt notices that QEMU is gone")


def fault_of(client: CimiClient, machine: str, times: int) -> dict[str, Any] | None:
    """The alarm about this Machine's fault, the first, second..."""
    told = [event for event in events(client, machine, "alarm") if event["content"]["code"] == "fault"]
    return told[times - 1] if len(told) == times else None


def test_create_delete_and_refusals_are_access_events(gateway: GatewayProcess, admin: CimiClient, image: str) -> None:
    operator, other = gateway.client("operator"), gateway.client("other")
    shared = admin.get(image)["id"]
    machine = operator.added("machines", machine_create(shared, "STOPPED"))["id"]
    assert other.request("DELETE", machine).status == 404
    log = operator.get(machine)["eventLog"]["href"]
    told = [event["content"] for event in operator.get(f"{log}/events?$filter=type='access'")["events"]]
    assert [(entry["initiator"], entry["operation"]) for entry in told] == [("operator", "add"), ("other", "DELETE")]
    assert all("from 127.0.0.1" in entry["detail"] for entry in told)
    operator.remove(machine)
    mine = operator.get("eventLogs/everything/events?$orderby=timestamp:desc&$last=6")["events"]
    gone = [event["content"] for event in mine if event["content"]["resource"]["href"] == machine]
    assert {"delete"} <= {entry.get("operation") for entry in gone} & {"delete"}
    assert {"delete"} <= {entry.get("change") for entry in gone} & {"delete"}


def test_a_job_is_followed_in_the_stream_from_begin_to_end(
    stream: Iterator[Message], admin: CimiClient, image: str
) -> None:
    answer = admin.add("machines", machine_create(image, "STOPPED"), Prefer="respond-async")
    seen = []
    for message in stream:
        if message.kind == "job" and message.resource.id == answer.job:
            seen.append((message.resource.state, message.resource.number("progress") or 0))
            if message.resource.state == "SUCCESS":
                break
    assert seen[-1] == ("SUCCESS", 100)
    assert [progress for _, progress in seen] == sorted(progress for _, progress in seen)
    admin.remove(answer.headers["location"])


# The command line


def test_events_tail_on_the_host_needs_no_password_and_follows(
    gateway: GatewayProcess, admin: CimiClient, machine: str
) -> None:
    path = "machines/" + machine.rpartition("/")[2]
    [newest] = gateway.command("events", "tail", "-n", "1", path).splitlines()
    following = follow(gateway, "events", "tail", "-f", "-n", "1", path)
    try:
        assert next_line(following) == newest
        admin.acted(machine, "pause")
        assert "admin: pause" in next_line(following)
        assert next_line(following).endswith("STARTED -> PAUSING")
    finally:
        following.kill()
        following.communicate()
    admin.acted(machine, "start")


def test_events_tail_from_elsewhere_follows_the_stream_with_a_password(
    gateway: GatewayProcess, admin: CimiClient, machine: str
) -> None:
    remote = ("--url", gateway.base, "--user", "admin", "--json")
    following = follow(gateway, "events", "tail", "-f", "-n", "1", *remote, machine)
    try:
        assert json.loads(next_line(following))["outcome"] == "Success"
        admin.acted(machine, "pause")
        told = json.loads(next_line(following))
        assert (told["content"]["operation"], told["content"]["initiator"]) == ("pause", "admin")
    finally:
        following.kill()
        following.communicate()
    admin.acted(machine, "start")


def test_jobs_tail_from_elsewhere_follows_a_job_to_its_end_over_a_crash_of_the_gateway(
    gateway: GatewayProcess, admin: CimiClient, image: str
) -> None:
    gateway.crash_after("add", "define domain")
    following = follow(gateway, "jobs", "tail", "-f", "--url", gateway.base, "--user", "admin")
    try:
        next_line(following)
        answer = admin.add("machines", machine_create(image, "STOPPED"), Prefer="respond-async")
        gateway.wait_killed()
        gateway.start()
        lines = until_line(following, answer.job.rpartition("/")[2], "SUCCESS 100%")
    finally:
        following.kill()
        following.communicate()
    assert len(lines) == len(set(lines)), "each line is printed once"
    admin.remove(answer.headers["location"])


def test_jobs_tail_from_elsewhere_ends_with_the_job_that_is_named(
    gateway: GatewayProcess, admin: CimiClient, image: str
) -> None:
    answer = admin.add("machines", machine_create(image, "STOPPED"), Prefer="respond-async")
    following = follow(gateway, "jobs", "tail", "-f", "--url", gateway.base, "--user", "admin", answer.job)
    assert "SUCCESS 100%" in following.communicate(timeout=60)[0].decode().splitlines()[-1]
    assert following.returncode == 0
    admin.remove(answer.headers["location"])


def until_line(process: subprocess.Popen[bytes], job: str, word: str) -> list[str]:
    """The lines about this job, up to the first with this word."""
    found = [next_line(process)]
    while job not in found[-1] or word not in found[-1]:
        found.append(next_line(process))
    return [line for line in found if job in line]


def follow(gateway: GatewayProcess, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "gateway", *arguments, "--config", str(gateway.configuration)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        env={**os.environ, "CIMI_PASSWORD": PASSWORD},
    )


def next_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 60)[0], "no line came"
    line = process.stdout.readline().decode()
    assert line, "the command has ended"
    return line.rstrip("\n")
