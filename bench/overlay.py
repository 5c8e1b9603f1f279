"""A Machine from a 2 GiB qcow2 image until STARTED, as an overlay, against the same libvirt calls made directly."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import libvirt

from bench.machines import one_directly, started
from bench.report import Row
from demo.guest_image import build
from tests import hypervisor
from tests.cimi_client import CimiClient
from tests.gateway_process import GatewayProcess

POOL = "cimi-bench-overlay"
GIB = 1024**3
ROUNDS = 7


def measure() -> list[Row]:
    hypervisor.quiet()
    hypervisor.make_pool(POOL)
    with tempfile.TemporaryDirectory() as home:
        directory = Path(home)
        process = GatewayProcess(directory / "gateway", POOL, directory, forked=False)
        process.prepare()
        process.start()
        try:
            return [_row(process.client(), _image(directory))]
        finally:
            process.kill()
            hypervisor.remove_domains(POOL)
            hypervisor.drop_pool(POOL)


def _image(directory: Path) -> Path:
    image = build(directory / "guest.qcow2")
    subprocess.run(["qemu-img", "resize", "-q", "-f", "qcow2", str(image), str(2 * GIB)], check=True)
    return image


def _row(client: CimiClient, file: Path) -> Row:
    image = client.added("machineImages", {"imageLocation": f"file://{file}"})["id"]
    ratios = [_round(client, image) for _ in range(ROUNDS)]
    return Row("machine from a 2 GiB image until STARTED, against libvirt-python", statistics.median(ratios), 1.3)


def _round(client: CimiClient, image: str) -> float:
    """Make the same Machine both ways, one after the other, so that both meet the same host."""
    began = time.perf_counter()
    machine = started(client, image)
    ours = time.perf_counter() - began
    with hypervisor.connection() as host:
        definition = hypervisor.domain_of(machine, host).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        pool = host.storagePoolLookupByName(POOL)
        _must_be_overlay(pool, machine)
        client.remove(machine)
        return ours / _directly(host, pool, definition.replace(machine.rpartition("/")[2], str(uuid.uuid4())))


def _must_be_overlay(pool: libvirt.virStoragePool, machine: str) -> None:
    pool.refresh()
    name = f"cimi-{machine.rpartition('/')[2]}-vda.qcow2"
    assert "<backingStore>" in pool.storageVolLookupByName(name).XMLDesc(), f"{name} is no overlay"


def _directly(host: libvirt.virConnect, pool: libvirt.virStoragePool, definition: str) -> float:
    base = next(volume for volume in pool.listAllVolumes() if volume.name().startswith("cimi-image-"))
    began = time.perf_counter()
    domain = one_directly(host, pool, base, definition, 2 * GIB)
    taken = time.perf_counter() - began
    domain.destroy()
    domain.undefine()
    for volume in pool.listAllVolumes():
        if not volume.name().startswith("cimi-image-"):
            volume.delete(0)
    return taken
