"""Importing an OVF package: time against tar and qemu-img, and memory meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import tarfile
import tempfile
import threading
import time
from io import BytesIO
from pathlib import Path

from bench.images import resident, write_disk
from bench.report import Row
from gateway.ovf.manifest import write_manifest
from gateway.ovf.model import Disk, Envelope, File, Hardware, Item, VirtualSystem
from gateway.ovf.names import STREAM_OPTIMIZED
from gateway.ovf.writing import write_envelope
from tests import hypervisor
from tests.cimi_client import FINAL_JOB_STATES, CimiClient
from tests.gateway_process import GatewayProcess

POOL = "cimi-bench-packages"
ROUNDS = 3
VMDK = "disk1.vmdk"
LOOK_EVERY = 0.1
"""Seconds; a client that asks without a pause takes what it measures."""


def measure() -> list[Row]:
    hypervisor.quiet()
    hypervisor.make_pool(POOL)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        directory = Path(home)
        process = GatewayProcess(directory / "gateway", POOL, directory, forked=False)
        process.prepare()
        process.start()
        try:
            return rows(process, write_package(directory), directory)
        finally:
            process.kill()
            hypervisor.drop_pool(POOL)


def write_package(directory: Path) -> Path:
    """Write an archive with a streamOptimized vmdk of 1 GiB, all of it bytes that mean something."""
    raw, vmdk, package = directory / "disk.raw", directory / VMDK, directory / "big.ova"
    write_disk(raw)
    options = ["-o", "subformat=streamOptimized"]
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vmdk", *options, raw, vmdk], check=True)
    raw.unlink()
    described_disk = subprocess.run(["qemu-img", "info", "--output=json", vmdk], capture_output=True, check=True)
    descriptor = described(json.loads(described_disk.stdout)["virtual-size"], vmdk.stat().st_size)
    with vmdk.open("rb") as opened:
        summed = hashlib.file_digest(opened, "sha256").hexdigest()
    manifest = write_manifest([("big.ovf", hashlib.sha256(descriptor).hexdigest()), (VMDK, summed)])
    with tarfile.open(package, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in (("big.ovf", descriptor), ("big.mf", manifest)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, BytesIO(content))
        archive.add(vmdk, VMDK)
    vmdk.unlink()
    return package


def described(capacity: int, size: int) -> bytes:
    items = (
        Item("1", 3, "cpu", quantity="1"),
        Item("2", 4, "memory", quantity="128", units="byte * 2^20"),
        Item("3", 6, "controller", address="0"),
        Item("4", 17, "disk", parent="3", address_on_parent="0", host_resources=("ovf:/disk/disk1",)),
    )
    system = VirtualSystem("big", info="A guest", hardware=(Hardware(("kvm",), items=items),))
    disk = Disk("disk1", str(capacity), "byte", "file1", STREAM_OPTIMIZED)
    return write_envelope(Envelope(system, (File("file1", VMDK, size),), (disk,)))


def rows(process: GatewayProcess, package: Path, directory: Path) -> list[Row]:
    client = process.client()
    client.timeout = 300
    idle = resident(process)
    most = [idle]
    pairs = [(directly(package, directory), through_gateway(process, client, package, most)) for _ in range(ROUNDS)]
    ratio = statistics.median(ours / theirs for theirs, ours in pairs)
    return [
        Row("import of an .ova with a 1 GiB vmdk, against tar x and qemu-img convert", ratio, 1.3),
        Row("resident memory meanwhile, above idle", max(most) - idle, 60.0, " MB"),
    ]


def directly(package: Path, directory: Path) -> float:
    out, made = directory / "out", hypervisor.POOLS / POOL / "direct.qcow2"
    out.mkdir(exist_ok=True)
    os.sync()
    began = time.perf_counter()
    subprocess.run(["tar", "xf", package, "-C", out], check=True)
    subprocess.run(["qemu-img", "convert", "-f", "vmdk", "-O", "qcow2", out / VMDK, made], check=True)
    taken = time.perf_counter() - began
    (out / VMDK).unlink()
    made.unlink()
    return taken


def through_gateway(process: GatewayProcess, client: CimiClient, package: Path, most: list[float]) -> float:
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            most.append(resident(process))

    looking = threading.Thread(target=look)
    looking.start()
    os.sync()
    began = time.perf_counter()
    answer = client.act("systemTemplates", "import", source=f"file://{package}")
    while client.get(answer.job)["state"] not in FINAL_JOB_STATES:
        time.sleep(LOOK_EVERY)
    taken = time.perf_counter() - began
    over.set()
    looking.join()
    client.succeed(answer.job)
    for kind in ("systemTemplates", "machineImages"):
        for entry in client.get(kind).get(kind, []):
            client.remove(entry["id"])
    return taken
