"""Meters of real guests: what a guest does shows in its meters, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.cimi_client import CimiClient, wait_until
from tests.gateway_process import GatewayProcess
from tests.guests import in_guest, machine_create, wait_ready

pytestmark = pytest.mark.qemu
MEGABYTE = 1_000_000
LONG = 120


@pytest.fixture(scope="module")
def gateway(pool: str, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """It looks at the guests every second."""
    process = GatewayProcess(
        tmp_path_factory.mktemp("gateway"), pool, images, monitoring="period = 1\ndefault_interval = 1"
    )
    process.prepare()
    process.start()
    yield process
    process.kill()


@pytest.fixture(scope="module")
def network(admin: CimiClient) -> Iterator[str]:
    """A private Network, made with a meter."""
    meters = [{"meterConfig": {"aspect": "bandwidth"}}]
    template = {"networkConfig": {"networkType": "PRIVATE"}, "meterTemplates": meters}
    made = admin.added("networks", {"networkTemplate": template})["id"]
    yield made
    for machine in admin.get("machines").get("machines", []):
        admin.remove(machine["id"])
    admin.remove(made)


@pytest.fixture(scope="module")
def machine(admin: CimiClient, image: str, network: str) -> Iterator[str]:
    """A booted guest on the private Network, whose MachineTemplate asked for meters of everything."""
    aspects = ("cpu", "memory", "disk", "diskWrite", "outputBandwidth", "runningTime")
    templates = [{"meterConfig": {"aspect": aspect}} for aspect in aspects]
    interfaces = [{"network": {"href": network}}]
    made = admin.added("machines", machine_create(image, meterTemplates=templates, networkInterfaces=interfaces))
    wait_ready(admin, made["id"])
    yield made["id"]


@pytest.fixture(scope="module")
def volume(admin: CimiClient, machine: str) -> Iterator[str]:
    """A Volume which the guest has as its second disk."""
    made = admin.added("volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 16_000}}})["id"]
    answer = admin.request("POST", f"{machine}/volumes", {"volume": {"href": made}, "initialLocation": "/dev/vdb"})
    admin.succeed(answer.job)
    wait_until(lambda: in_guest(machine, "[ -b /dev/vdb ] && echo there; true"), LONG, "the guest sees the disk")
    yield made


def meter_of(client: CimiClient, target: str, aspect: str) -> str:
    """The target's meter of this aspect; made when it has none."""
    for meter in client.get(f"{target}/meters").get("meters", []):
        if meter["aspect"].endswith(f"/{aspect}"):
            return str(meter["id"])
    answer = client.request("POST", f"{target}/meters", {"meterTemplate": {"meterConfig": {"aspect": aspect}}})
    assert answer.status == 201, answer.body
    return answer.headers["location"]


def samples(client: CimiClient, meter: str) -> list[dict[str, Any]]:
    return list(client.get(f"{meter}/samples").get("samples", []))


def passed(client: CimiClient, meter: str, since: int, sent: int) -> bool:
    """Whether the meter shows nearly all of the bytes that were sent."""
    return total(client, meter, since) * 125 > sent * 0.9


def values(client: CimiClient, meter: str) -> list[float]:
    return [float(sample["value"]) for sample in samples(client, meter)]


def total(client: CimiClient, meter: str, since: int) -> float:
    """What a meter of something a second says that was done altogether, after so many samples."""
    found = samples(client, meter)
    moments = [datetime.fromisoformat(sample["timestamp"]) for sample in found]
    parts = zip(found[1:], pairwise(moments), strict=True)
    done = [float(sample["value"]) * (until - begun).total_seconds() for sample, (begun, until) in parts]
    return sum(done[max(0, since - 1) :])


def test_a_busy_loop_raises_the_cpu_meter_and_its_end_lowers_it(admin: CimiClient, machine: str) -> None:
    meter = meter_of(admin, machine, "cpu")
    wait_until(lambda: [value for value in values(admin, meter)[-3:] if value < 15], LONG, "the guest is idle")
    in_guest(machine, "(while :; do :; done) >/dev/null 2>&1 & echo $! >/tmp/busy")
    wait_until(lambda: values(admin, meter)[-1] > 30, LONG, "the busy loop shows")
    in_guest(machine, "kill $(cat /tmp/busy)")
    wait_until(lambda: values(admin, meter)[-1] < 15, LONG, "the guest is idle again")
    found = values(admin, meter)
    assert min(found) >= 0
    # One cpu is busy, not two. On a busy host a look and the time that it is noted with are not the same moment.
    assert median(value for value in found if value > 30) <= 150


def test_written_bytes_show_in_the_meters_of_the_machine_and_of_the_volume(
    admin: CimiClient, machine: str, volume: str
) -> None:
    machines, volumes = meter_of(admin, machine, "diskWrite"), meter_of(admin, volume, "inputBandwidth")
    space = meter_of(admin, volume, "disk")
    wait_until(lambda: values(admin, volumes) and values(admin, machines), LONG, "both are measured")
    before = len(values(admin, machines)), len(values(admin, volumes))
    in_guest(machine, "dd if=/dev/zero of=/dev/vdb bs=1M count=8 conv=fsync 2>&1")
    wait_until(lambda: total(admin, machines, before[0]) * 1000 > 7.5 * MEGABYTE, LONG, "the machine's meter shows it")
    wait_until(lambda: total(admin, volumes, before[1]) * 125 > 7.5 * MEGABYTE, LONG, "the volume's meter shows it")
    assert total(admin, machines, before[0]) * 1000 < 12 * MEGABYTE
    wait_until(lambda: values(admin, space)[-1] > 7_500, LONG, "the volume has grown")


def test_pings_on_a_private_network_show_in_the_meters_of_the_machine_and_of_the_network(
    admin: CimiClient, machine: str, network: str
) -> None:
    meters = meter_of(admin, machine, "outputBandwidth"), meter_of(admin, network, "bandwidth")
    host = next(ip_network(admin.get(network)["cidr"]).hosts())
    ping = f"ping -c 1 -W 5 {host} >/dev/null 2>&1 && echo yes; true"
    wait_until(lambda: in_guest(machine, ping), LONG, "a ping comes back")
    wait_until(lambda: all(values(admin, meter) for meter in meters), LONG, "both are measured")
    before = [len(values(admin, meter)) for meter in meters]
    assert " 0% packet loss" in in_guest(machine, f"ping -c 100 -i 0.02 -s 1400 {host}")
    for meter, since, directions in zip(meters, before, (1, 2), strict=True):
        sent = 100 * 1400 * directions
        wait_until(partial(passed, admin, meter, since, sent), LONG, "the pings show")


def test_memory_is_what_the_guest_uses_of_its_own(admin: CimiClient, machine: str) -> None:
    meter = meter_of(admin, machine, "memory")
    assert admin.get(meter)["maxValue"] == "131072"
    wait_until(lambda: values(admin, meter), LONG, "it is measured")
    before = values(admin, meter)[-1]
    in_guest(machine, "mount -t tmpfs tmp /mnt 2>/dev/null; dd if=/dev/zero of=/mnt/held bs=1M count=30 2>&1")
    wait_until(lambda: values(admin, meter)[-1] > before + 20_000, LONG, "what the guest took shows")
    in_guest(machine, "rm /mnt/held; umount /mnt; true")
    assert all(0 < value <= 131072 for value in values(admin, meter))


def test_a_stopped_machine_makes_gaps_and_no_zeros_and_its_time_in_power_stands_still(
    admin: CimiClient, machine: str
) -> None:
    cpu, power = meter_of(admin, machine, "cpu"), meter_of(admin, machine, "runningTime")
    admin.acted(machine, "stop", force=True)
    wait_until(lambda: values(admin, power)[-1] == 0, LONG, "no time in power is counted")
    count = len(values(admin, cpu))
    since = len(values(admin, power))
    wait_until(lambda: len(values(admin, power)) > since + 2, LONG, "it goes on being looked at")
    assert len(values(admin, cpu)) == count
    admin.acted(machine, "start")
    wait_until(lambda: values(admin, power)[-1] > 0.5, LONG, "time in power is counted again")
    wait_until(lambda: len(values(admin, cpu)) > count, LONG, "the processor is measured again")


def test_samples_that_were_read_are_there_after_a_kill_and_more_are_made(
    admin: CimiClient, machine: str, gateway: GatewayProcess
) -> None:
    meter = meter_of(admin, machine, "memory")
    wait_until(lambda: len(values(admin, meter)) > 3, LONG, "there are samples")
    read = samples(admin, meter)
    gateway.kill()
    gateway.start()
    assert samples(admin, meter)[: len(read)] == read
    wait_until(lambda: len(samples(admin, meter)) > len(read) + 1, LONG, "sampling goes on")


def test_xml_clients_read_the_same_samples(gateway: GatewayProcess, admin: CimiClient, machine: str) -> None:
    meter = meter_of(admin, machine, "memory")
    answer = gateway.client("admin", "xml").request("GET", f"{meter}/samples?$last=1")
    [sample] = [entry["sample"] for entry in admin.get(f"{meter}/samples?$last=1")["samples"]]
    assert f'<sample timestamp="{sample["timestamp"]}" value="{sample["value"]}"/>'.encode() in answer.body
