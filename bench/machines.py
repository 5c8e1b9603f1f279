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
CHANGES = 10
POOL = "cimi-bench"
IMAGE_SIZE = 32 * 1024**2


def measure() -> list[Row]:
    hypervisor.quiet()
    hypervisor.make_pool(POOL)
    with tempfile.TemporaryDirectory() as home:
        directory = Path(home)
        (directory / "images").mkdir()
        shutil.copy(build(directory / "built.qcow2"), directory / "images" / "guest.qcow2")
        process = GatewayProcess(directory / "gateway", POOL, directory / "images", jobs=f"workers = {COUNT}")
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
    ratios = []
    for _ in range(3):
        ours, definitions = _through_gateway(client, image)
        ratios.append(ours / _directly(definitions))
    delays = _changes(client, image)
    return [
        Row(f"create until STARTED, {COUNT} machines at once, against libvirt-python", statistics.median(ratios), 1.2),
        Row("change by virsh until it shows, median", statistics.median(delays), 0.2, " s"),
        Row("change by virsh until it shows, longest", max(delays), 1.0, " s"),
    ]


def _document(image: str) -> dict[str, object]:
    config = {"cpu": 1, "memory": 65536}
    return {"machineTemplate": {"machineConfig": config, "machineImage": {"href": image}}}


def _through_gateway(client: CimiClient, image: str) -> tuple[float, list[tuple[str, str]]]:
    """The time, and the definitions and overlays that were made, to make them again directly."""
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
    answer = client.request("POST", "machines", _document(image), headers={"Prefer": "wait=60"})
    assert answer.status == 201, answer.body
    assert answer.json["state"] == "STARTED"
    return answer.headers["location"]


def _directly(definitions: list[tuple[str, str]]) -> float:
    """The same libvirt calls: overlay, seed volume with its bytes, define, start; as many threads."""
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


def _changes(client: CimiClient, image: str) -> list[float]:
    machine = started(client, image)
    delays = []
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(machine, host)
        for number in range(CHANGES):
            change, state = ((domain.suspend, "PAUSED"), (domain.resume, "STARTED"))[number % 2]
            change()
            began = time.perf_counter()
            client.wait_state(machine, state, 10)
            delays.append(time.perf_counter() - began)
    client.remove(machine)
    return delays
