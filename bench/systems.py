"""A System of 10 machines, 10 volumes and 2 networks until STARTED, against a client that makes the same by itself."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.report import Row
from demo.guest_image import build
from tests import hypervisor
from tests.cimi_client import CimiClient
from tests.gateway_process import GatewayProcess

MACHINES = 10
NETWORKS = 2
POOL = "cimi-bench-systems"
ROUNDS = 3
SECONDS = 300
CAPACITY = 10_000
TYPE = "http://schemas.dmtf.org/cimi/1/"
NETWORK: dict[str, Any] = {"networkConfig": {"networkType": "PRIVATE"}}
VOLUME: dict[str, Any] = {"volumeConfig": {"capacity": CAPACITY}}


def measure() -> list[Row]:
    hypervisor.quiet()
    hypervisor.make_pool(POOL)
    with tempfile.TemporaryDirectory() as home:
        directory = Path(home)
        (directory / "images").mkdir()
        shutil.copy(build(directory / "built.qcow2"), directory / "images" / "guest.qcow2")
        process = GatewayProcess(directory / "gateway", POOL, directory / "images", forked=False)
        process.prepare()
        process.start()
        try:
            client = process.client()
            client.timeout = SECONDS
            file = f"file://{directory / 'images' / 'guest.qcow2'}"
            image = str(client.added("machineImages", {"imageLocation": file})["id"])
            ratios = [_as_one(client, image) / _apart(client, image) for _ in range(ROUNDS)]
        finally:
            process.clear()
            hypervisor.drop_pool(POOL)
    what = f"a System of {MACHINES} machines, {MACHINES} volumes, {NETWORKS} networks until STARTED, against one by one"
    return [Row(what, statistics.median(ratios), 1.3)]


def _machine(image: str, network: str, volume: str) -> dict[str, Any]:
    return {
        "machineConfig": {"cpu": 1, "memory": 65536},
        "machineImage": {"href": image},
        "networkInterfaces": [{"network": {"href": network}}],
        "volumes": [{"href": volume}],
    }


def _as_one(client: CimiClient, image: str) -> float:
    """Time one System; half of the machines on each network, each with a volume of its own."""
    half = MACHINES // NETWORKS
    descriptors: list[dict[str, Any]] = []
    for name in ("a", "b"):
        web = _machine(image, f"#net-{name}", f"#data-{name}")
        descriptors += [
            {"name": f"net-{name}", "type": f"{TYPE}Network", "networkTemplate": NETWORK},
            {"name": f"data-{name}", "type": f"{TYPE}Volume", "volumeTemplate": VOLUME, "quantity": half},
            {"name": f"web-{name}", "type": f"{TYPE}Machine", "machineTemplate": web, "quantity": half},
        ]
    document = {"systemTemplate": {"componentDescriptors": descriptors}}
    began = time.perf_counter()
    system = client.added("systems", document, SECONDS)
    taken = time.perf_counter() - began
    assert system["state"] == "STARTED"
    client.remove(str(system["id"]), SECONDS)
    return taken


def _apart(client: CimiClient, image: str) -> float:
    """Time the same resources made one by one; what is needed first is made first, everything else at once."""
    began = time.perf_counter()
    with ThreadPoolExecutor(MACHINES + NETWORKS) as threads:
        networks = [threads.submit(_made, client, "networks", {"networkTemplate": NETWORK}) for _ in range(NETWORKS)]
        volumes = [threads.submit(_made, client, "volumes", {"volumeTemplate": VOLUME}) for _ in range(MACHINES)]
        named = [network.result() for network in networks]
        machines = [
            threads.submit(_made, client, "machines", {"machineTemplate": _machine(image, network, volume)})
            for network, volume in zip(named * (MACHINES // NETWORKS), [v.result() for v in volumes], strict=True)
        ]
        made = [machine.result() for machine in machines]
    taken = time.perf_counter() - began
    assert {client.get(machine)["state"] for machine in made} == {"STARTED"}
    with ThreadPoolExecutor(4) as threads:
        for urls in (made, [volume.result() for volume in volumes], named):
            list(threads.map(lambda url: client.remove(url, SECONDS), urls))
    return taken


def _made(client: CimiClient, collection: str, document: dict[str, Any]) -> str:
    answer = client.request("POST", collection, document, headers={"Prefer": "wait=60"})
    client.succeed(answer.job, SECONDS)
    return answer.headers["location"]
