"""Twenty machines at once against the same libvirt calls made directly; changes by virsh until they show."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import libvirt

from bench.report import Row
from demo.guest_image import build
from tests import hypervisor
from tests.cimi_client import CimiClient
from tests.gateway_process import GatewayProcess

COUNT = 20
ROUNDS = 10
CHANGES = 10
PAGE = "machines?$last=20"
POOL = "cimi-bench"
IMAGE_SIZE = 32 * 1024**2


def measure() -> list[Row]:
    hypervisor.quiet()
    hypervisor.make_pool(POOL)
    with tempfile.TemporaryDirectory() as home:
        directory = Path(home)
        (directory / "images").mkdir()
        shutil.copy(build(directory / "built.qcow2"), directory / "images" / "guest.qcow2")
        process = GatewayProcess(
            directory / "gateway", POOL, directory / "images", jobs=f"workers = {COUNT}", forked=False
        )
        process.prepare()
        process.start()
        try:
            return _rows(process.client(), directory / "images" / "guest.qcow2")
        finally:
            process.kill()
            hypervisor.remove_domains(POOL)
            hypervisor.drop_pool(POOL)


def _rows(client: CimiClient, image_file: Path) -> list[Row]:
    image = client.added("machineImages", {"imageLocation": f"file://{image_file}"})["id"]
    rounds = []
    for _ in range(ROUNDS):
        ours, definitions = _through_gateway(client, image)
        rounds.append((ours, _directly(definitions)))
    delays, of_page = _changes(client, image)
    return [
        _ratio(rounds),
        Row("change by virsh until it shows, median", statistics.median(delays), 0.2, " s"),
        Row("change by virsh until it shows, longest", max(delays), 1.0, " s"),
        Row("change by virsh until a page of 20 shows it, longest", max(of_page), 1.0, " s"),
    ]


def _ratio(rounds: list[tuple[float, float]]) -> Row:
    """Return the median of the rounds' ratios: the two take turns, so that what else the machine does falls on both."""
    ratios = sorted(ours / theirs for ours, theirs in rounds)
    medians = [statistics.median(side) for side in zip(*rounds, strict=True)]
    details = f"{medians[0]:.2f} to {medians[1]:.2f} s; rounds from {ratios[0]:.2f} to {ratios[-1]:.2f}"
    what = f"create until STARTED, {COUNT} machines at once, against libvirt-python"
    return Row(what, statistics.median(ratios), 1.15, details=details)


def document(image: str) -> dict[str, object]:
    config = {"cpu": 1, "memory": 65536}
    return {"machineTemplate": {"machineConfig": config, "machineImage": {"href": image}}}


def _through_gateway(client: CimiClient, image: str) -> tuple[float, list[tuple[str, str]]]:
    """Return the time, and the definitions and overlays that were made, to make them again directly."""
    began = time.perf_counter()
    with ThreadPoolExecutor(COUNT) as threads:
        made = list(threads.map(lambda _n: started(client, image), range(COUNT)))
    taken = time.perf_counter() - began
    with hypervisor.connection() as host:
        definitions = [
            (
                hypervisor.domain_of(machine, host).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE),
                hypervisor.domain_of(machine, host).UUIDString(),
            )
            for machine in made
        ]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(client.remove, made))
    return taken, definitions


def started(client: CimiClient, image: str) -> str:
    answer = client.request("POST", "machines", document(image), headers={"Prefer": "wait=60"})
    assert answer.status == 201, answer.body
    assert answer.json["state"] == "STARTED"
    return answer.headers["location"]


def _directly(definitions: list[tuple[str, str]]) -> float:
    """Time the same libvirt calls: overlay, seed volume with its bytes, define, start; as many threads."""
    host = libvirt.open("qemu:///system")
    pool = host.storagePoolLookupByName(POOL)
    base = next(volume for volume in pool.listAllVolumes() if volume.name().startswith("cimi-image-"))
    fresh = [(xml.replace(old, str(uuid.uuid4())), old) for xml, old in definitions]
    began = time.perf_counter()
    with ThreadPoolExecutor(COUNT) as threads:
        domains = list(threads.map(lambda entry: one_directly(host, pool, base, entry[0], IMAGE_SIZE), fresh))
    taken = time.perf_counter() - began
    for domain in domains:
        domain.destroy()
        domain.undefine()
    for volume in pool.listAllVolumes():
        if not volume.name().startswith("cimi-image-"):
            volume.delete(0)
    host.close()
    return taken


def one_directly(
    host: libvirt.virConnect, pool: libvirt.virStoragePool, base: libvirt.virStorageVol, xml: str, size: int
) -> libvirt.virDomain:
    """Overlay of so many bytes, seed volume with its bytes, define, start."""
    uuid_text = xml.partition("<uuid>")[2].partition("</uuid>")[0]
    overlay = (
        f"<volume><name>cimi-{uuid_text}-vda.qcow2</name><capacity>{size}</capacity><allocation>0</allocation>"
        f"<target><format type='qcow2'/></target><backingStore><path>{base.path()}</path><format type='qcow2'/>"
        "</backingStore></volume>"
    )
    pool.createXML(overlay, 0)
    seed_size = 370_688
    seed = pool.createXML(
        f"<volume><name>cimi-{uuid_text}-seed.iso</name><capacity>{seed_size}</capacity><allocation>0</allocation>"
        "<target><format type='raw'/></target></volume>",
        0,
    )
    stream = host.newStream(0)
    seed.upload(stream, 0, seed_size, 0)
    data = bytes(seed_size)
    while data:
        data = data[stream.send(data) :]
    stream.finish()
    domain = host.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    domain.create()
    return domain


def _changes(client: CimiClient, image: str) -> tuple[list[float], list[float]]:
    """Return the seconds until a GET of the Machine, and then until one of a page, shows what virsh would change."""
    machine = started(client, image)
    delays, of_page = [], []
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(machine, host)
        for number in range(CHANGES):
            change, state = ((domain.suspend, "PAUSED"), (domain.resume, "STARTED"))[number % 2]
            change()
            began = time.perf_counter()
            client.wait_state(machine, state, 10)
            delays.append(time.perf_counter() - began)
            while client.get(PAGE)["machines"][0]["state"] != state:
                time.sleep(0.01)
            of_page.append(time.perf_counter() - began)
    client.remove(machine)
    return delays, of_page
