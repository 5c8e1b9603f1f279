"""What others read of our exports: Debian's virt-v2v, and a reader that assumes what VirtualBox and Proxmox VE do."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.api.client import ApiClient
from tests.api.packages import disk, downloaded
from tests.api.systems import machine, members, network, on, volume
from tests.api.systems import made as made_of

pytestmark = pytest.mark.slow

MAC = "52:54:00:0b:0c:0d"
MEMORY = 384 * 1024**2
BOOT = 16778
"""Kilobytes of an image of 16 MiB, rounded up as CIMI shows it."""
CAPACITY = 42949
"""Kilobytes of the Machine's second disk: of no whole number of sectors, as capacities of CIMI may be."""


@pytest.fixture
async def descriptors(admin: ApiClient, images: Path, tmp_path: Path) -> list[dict[str, Any]]:
    """One Machine with two disks, a Volume and a network card of a chosen address."""
    (images / "real.qcow2").write_bytes(disk(tmp_path, kind="qcow2"))
    image = await admin.post("machineImages", {"imageLocation": f"file://{images / 'real.qcow2'}"}, Prefer="wait=30")
    config = {"cpu": 2, "memory": MEMORY // 1024, "disks": [{"capacity": BOOT}, {"capacity": CAPACITY}]}
    cards = on("front", macAddress=MAC)
    web = machine(image.location, "web", machineConfig=config, networkInterfaces=cards, volumes=[{"href": "#data"}])
    return [web, network(), volume()]


@pytest.fixture
async def system(admin: ApiClient, descriptors: list[dict[str, Any]]) -> str:
    return await made_of(admin, *descriptors)


@pytest.fixture
async def package(admin: ApiClient, system: str, tmp_path: Path) -> Path:
    path = tmp_path / "shop.ova"
    path.write_bytes(await downloaded(admin, system))
    return path


@pytest.fixture
async def package_of_a_template(admin: ApiClient, descriptors: list[dict[str, Any]], tmp_path: Path) -> Path:
    """The export of a SystemTemplate. Its Machine has its image alone: virt-v2v reads no package with an empty disk."""
    web, front, _volume = descriptors
    web["machineTemplate"].pop("volumes")
    web["machineTemplate"]["machineConfig"].pop("disks")
    made = await admin.post("systemTemplates", {"name": "shop", "componentDescriptors": [web, front]})
    assert made.status == 201, made.text
    path = tmp_path / "template.ova"
    path.write_bytes(await downloaded(admin, made.location))
    return path


def files_in(package: Path) -> dict[str, bytes]:
    with tarfile.open(fileobj=BytesIO(package.read_bytes())) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


# virt-v2v


async def virt_v2v(package: Path) -> str:
    """What it says of the package, in which it looks at the manifest too."""
    command = ["virt-v2v", "-i", "ova", str(package), "--print-source"]
    work = asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, timeout=300)
    done = await work
    assert done.returncode == 0, done.stderr
    assert "manifest" not in done.stderr
    return str(done.stdout)


async def test_virt_v2v_reads_name_memory_processors_disks_and_cards_right(package: Path) -> None:
    said = await virt_v2v(package)
    assert re.search(r"source name: web$", said, re.MULTILINE)
    assert f"memory: {MEMORY} (bytes)" in said
    assert "nr vCPUs: 2" in said
    assert re.findall(r"^\t(\d) \[scsi\]$", said, re.MULTILINE) == ["0", "1", "2"]
    assert re.search(rf"^\tBridge \"front\" mac: {MAC} \[virtio\]$", said, re.MULTILINE)


async def test_virt_v2v_reads_the_export_of_a_template_right(package_of_a_template: Path) -> None:
    said = await virt_v2v(package_of_a_template)
    assert re.search(r"source name: web$", said, re.MULTILINE)
    assert f"memory: {MEMORY} (bytes)" in said
    assert re.findall(r"^\t(\d) \[scsi\]$", said, re.MULTILINE) == ["0"]


# A reader with the assumptions of others


@dataclass(frozen=True)
class Read:
    name: str
    cpus: int
    mebibytes: int
    capacities: dict[str, int]
    """Bytes, by the file's name."""
    cards: list[str]


UNITS = {"MegaBytes", "MB", "byte * 2^20"}
"""Those of memory that VirtualBox takes for MiB; Proxmox VE takes every number for MiB, whatever unit is said."""


def read_as_others_do(descriptor: bytes) -> Read:
    root = etree.fromstring(descriptor)
    hrefs = {at(file, "id"): at(file, "href") for file in root.iterfind(".//{*}File")}
    # A capacity is taken for bytes, without a look at units.
    disks = {hrefs[at(disk, "fileRef")]: int(at(disk, "capacity")) for disk in root.iterfind(".//{*}Disk")}
    [system] = root.findall(".//{*}VirtualSystem")
    items = {
        kind: [item for item in system.iterfind(".//{*}Item") if told(item, "ResourceType") == kind]
        for kind in ("3", "4", "10", "17")
    }
    [memory] = items["4"]
    assert told(memory, "AllocationUnits") in UNITS
    return Read(
        name=str(system.findtext("{*}Name")),
        cpus=int(told(items["3"][0], "VirtualQuantity")),
        mebibytes=int(told(memory, "VirtualQuantity")),
        capacities=disks,
        cards=[told(card, "Address") for card in items["10"]],
    )


def at(element: etree._Element, name: str) -> str:
    return str(element.get(f"{{http://schemas.dmtf.org/ovf/envelope/1}}{name}"))


def told(item: etree._Element, name: str) -> str:
    return str(item.findtext(f"{{*}}{name}"))


async def test_a_reader_that_takes_memory_for_mebibytes_and_capacities_for_bytes_is_right(package: Path) -> None:
    files = files_in(package)
    read = read_as_others_do(next(content for name, content in files.items() if name.endswith(".ovf")))
    assert (read.name, read.cpus, read.mebibytes, read.cards) == ("web", 2, MEMORY // 1024**2, [MAC])
    assert len(read.capacities) == 3


async def test_a_reader_with_these_assumptions_reads_the_export_of_a_template_right(
    package_of_a_template: Path, tmp_path: Path
) -> None:
    files = files_in(package_of_a_template)
    read = read_as_others_do(next(content for name, content in files.items() if name.endswith(".ovf")))
    assert (read.name, read.cpus, read.mebibytes) == ("web", 2, MEMORY // 1024**2)
    [(name, capacity)] = read.capacities.items()
    (tmp_path / name).write_bytes(files[name])
    assert await virtual_size(tmp_path / name) == capacity


async def test_each_capacity_is_the_size_that_the_disks_file_says_of_itself(package: Path, tmp_path: Path) -> None:
    files = files_in(package)
    read = read_as_others_do(next(content for name, content in files.items() if name.endswith(".ovf")))
    for name, capacity in read.capacities.items():
        path = tmp_path / name
        path.write_bytes(files[name])
        assert await virtual_size(path) == capacity
        assert capacity % 512 == 0


async def virtual_size(path: Path) -> int:
    """Bytes of the disk, as QEMU reads its file."""
    command = ["qemu-img", "info", "--output=json", str(path)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    return int(json.loads(done.stdout)["virtual-size"])


async def test_memory_that_is_no_whole_number_of_mebibytes_keeps_its_kibibytes(
    admin: ApiClient, images: Path, system: str
) -> None:
    [found] = (await members(admin, system, "machines")).values()
    answer = await admin.put(f"{found['id']}?$select=memory", {"memory": 100 * 1024 + 1})
    assert answer.status == 200, answer.text
    content = await downloaded(admin, system)
    with tarfile.open(fileobj=BytesIO(content)) as archive:
        [name] = [member for member in archive.getnames() if member.endswith(".ovf")]
        root = etree.fromstring(archive.extractfile(name).read())  # type: ignore[union-attr]
    [memory] = [item for item in root.iterfind(".//{*}Item") if told(item, "ResourceType") == "4"]
    assert (told(memory, "VirtualQuantity"), told(memory, "AllocationUnits")) == ("102401", "byte * 2^10")


async def test_what_is_exported_comes_in_again_with_the_same_capacities(
    admin: ApiClient, images: Path, package: Path, system: str
) -> None:
    await asyncio.to_thread(shutil.copy, package, images / "again.ova")
    answer = await admin.act("systems", "import", source=f"file://{images / 'again.ova'}")
    job = await admin.ended(answer.job)
    assert job["state"] == "SUCCESS", job
    [again] = [entry["href"] for entry in job["affectedResources"] if "/systems/" in entry["href"]]
    assert await capacities(admin, again) == await capacities(admin, system) == [BOOT, CAPACITY, 1000]


async def capacities(admin: ApiClient, system: str) -> list[int]:
    """Kilobytes of the only Machine's own disks, and of the System's Volumes."""
    [found] = (await members(admin, system, "machines")).values()
    own: list[dict[str, Any]] = (await admin.document(found["disks"]["href"]))["disks"]
    volumes = await members(admin, system, "volumes")
    return [*(one["capacity"] for one in own), *(one["capacity"] for one in volumes.values())]
