"""File systems on Volumes of a real pool: recognised by the host's tools, and mounted by a real guest."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from demo.guest_image import build
from tests import hypervisor
from tests.cimi_client import CimiClient
from tests.fault.volumes import recognised
from tests.guests import in_guest, machine_create
from tests.system.volumes import device, file_of

pytestmark = pytest.mark.qemu
KILOBYTES = {"ext4": 64_000, "vfat": 64_000, "xfs": 400_000}
HUNDRED_GIB = 107_374_183
"""In kilobytes."""


@pytest.fixture(scope="module")
def mounting_image(admin: CimiClient, images: Path) -> str:
    """URL of the guest's image with the modules of file systems in it."""
    built = build(images / "mounting.qcow2", modules="ext4 vfat nls_cp437 nls_ascii")
    imported = admin.added("machineImages", {"name": "mounting", "imageLocation": f"file://{built}"})
    assert imported["state"] == "AVAILABLE"
    return str(imported["id"])


def stored(pool: str, volume: str) -> Path:
    return hypervisor.POOLS / pool / file_of(pool, volume)


def raw_bytes(pool: str, volume: str, directory: Path) -> Path:
    raw = directory / "raw"
    command = ["qemu-img", "convert", "-U", "-O", "raw", str(stored(pool, volume)), str(raw)]
    subprocess.run(command, check=True, timeout=300)
    return raw


def formatted(admin: CimiClient, kind: str, capacity: int) -> dict[str, Any]:
    config = {"capacity": capacity, "format": kind}
    made = admin.added("volumes", {"name": kind, "volumeTemplate": {"volumeConfig": config}})
    assert made["state"] == "AVAILABLE"
    return made


@pytest.mark.parametrize("kind", sorted(KILOBYTES))
def test_a_volume_of_a_real_pool_has_the_file_system(admin: CimiClient, pool: str, tmp_path: Path, kind: str) -> None:
    volume = formatted(admin, kind, KILOBYTES[kind])
    raw = raw_bytes(pool, volume["id"], tmp_path)
    assert recognised(raw) == kind
    assert raw.stat().st_size >= KILOBYTES[kind] * 1000
    admin.remove(volume["id"])
    assert not any(volume["id"].rpartition("/")[2] in name for name in hypervisor.files_in(pool))


def test_a_hundred_gibibytes_take_little_room_and_time(admin: CimiClient, pool: str) -> None:
    began = time.monotonic()
    volume = formatted(admin, "ext4", HUNDRED_GIB)
    assert time.monotonic() - began < 240
    assert stored(pool, volume["id"]).stat().st_blocks * 512 < 1024**3
    admin.remove(volume["id"])


@pytest.mark.parametrize("kind", ["ext4", "vfat"])
def test_a_guest_mounts_a_new_volume_as_it_comes(admin: CimiClient, mounting_image: str, kind: str) -> None:
    entry = {"volumeConfig": {"capacity": KILOBYTES[kind], "format": kind}}
    machine = admin.added("machines", machine_create(mounting_image, volumeTemplates=[entry]))["id"]
    [attached] = admin.get(f"{machine}/volumes")["machineVolumes"]
    name = device(machine, attached["volume"]["href"])
    in_guest(machine, f"mkdir -p /tmp/data && mount -t {kind} /dev/{name} /tmp/data")
    in_guest(machine, "echo kept >/tmp/data/word && umount /tmp/data")
    in_guest(machine, f"mount -t {kind} /dev/{name} /tmp/data")
    assert in_guest(machine, "cat /tmp/data/word") == "kept"
    in_guest(machine, "umount /tmp/data")
    admin.remove(machine)
