"""Twenty networks at once against the same libvirt calls made directly."""

from __future__ import annotations

import statistics
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import libvirt

from bench.report import Row
from tests import hypervisor
from tests.cimi_client import CimiClient
from tests.gateway_process import GatewayProcess

COUNT = 20
ROUNDS = 15
DOCUMENT = {"networkTemplate": {"networkConfig": {"networkType": "PRIVATE"}}}


def measure() -> list[Row]:
    hypervisor.quiet()
    with tempfile.TemporaryDirectory() as home:
        directory = Path(home)
        process = GatewayProcess(
            directory / "gateway", "default", directory, jobs=f"workers = {COUNT}", prefix=26, forked=False
        )
        process.prepare()
        process.start()
        try:
            client = process.client()
            client.get()  # The first check of a password takes its time by design, and is no part of this.
            ratio = _ratio(client)
        finally:
            process.clear()
    what = f"create until STARTED, {COUNT} networks at once, against libvirt-python"
    return [Row(what, ratio, 1.25)]


def _ratio(client: CimiClient) -> float:
    """Return the median of the rounds' ratios: the two take turns, so that what else the machine does falls on both."""
    ratios = []
    for _ in range(ROUNDS):
        ours, definitions = _through_gateway(client)
        ratios.append(ours / _directly(definitions))
    return statistics.median(ratios)


def _through_gateway(client: CimiClient) -> tuple[float, list[tuple[str, str]]]:
    """Return the time, and the definitions of network and filter that were made, to make them again directly."""
    began = time.perf_counter()
    with ThreadPoolExecutor(COUNT) as threads:
        made = list(threads.map(lambda _n: _started(client), range(COUNT)))
    taken = time.perf_counter() - began
    with hypervisor.connection() as host:
        definitions = [_definition(host, url.rpartition("/")[2]) for url in made]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(client.remove, made))
    return taken, definitions


def _started(client: CimiClient) -> str:
    answer = client.request("POST", "networks", DOCUMENT, headers={"Prefer": "wait=60"})
    assert answer.status == 201, answer.body
    assert answer.json["state"] == "STARTED"
    return answer.headers["location"]


def _definition(host: libvirt.virConnect, old: str) -> tuple[str, str]:
    """Both as other ones of the same shape: the ids and the bridge's name are new."""
    fresh = str(uuid.uuid4())
    network = host.networkLookupByUUIDString(old).XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)
    guard = host.nwfilterLookupByName(f"cimi-network-{old}").XMLDesc(0)
    kept = guard[: guard.index("<uuid>")] + guard[guard.index("</uuid>") + len("</uuid>") :]
    bridges = f"cimi{old.replace('-', '')[:10]}", f"cimi{fresh.replace('-', '')[:10]}"
    return network.replace(old, fresh).replace(*bridges), kept.replace(old, fresh)


def _directly(definitions: list[tuple[str, str]]) -> float:
    """Time the same libvirt calls by as many threads: define the filter and the network, start it, let it autostart."""
    host = libvirt.open("qemu:///system")
    began = time.perf_counter()
    with ThreadPoolExecutor(COUNT) as threads:
        networks = list(threads.map(lambda entry: _one(host, *entry), definitions))
    taken = time.perf_counter() - began
    names = [network.name() for network in networks]
    host.close()
    for name in names:
        hypervisor.remove_network(name)
    return taken


def _one(host: libvirt.virConnect, network: str, guard: str) -> libvirt.virNetwork:
    host.nwfilterDefineXML(guard)
    made = host.networkDefineXMLFlags(network, libvirt.VIR_NETWORK_DEFINE_VALIDATE)
    made.create()
    made.setAutostart(1)
    return made
