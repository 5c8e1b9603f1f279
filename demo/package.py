"""An OVF package of two guests that both boot the demo's image: a web server and the database which it waits for."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from cimi_client import Document
from rich.console import Console

from demo.client import User
from gateway.ovf.archive import Part, archive
from gateway.ovf.model import (
    Disk,
    Envelope,
    File,
    Hardware,
    Item,
    Network,
    Product,
    Property,
    StartupItem,
    VirtualSystem,
    VirtualSystemCollection,
)
from gateway.ovf.names import STREAM_OPTIMIZED
from gateway.ovf.writing import write_envelope

NAME = "shop"
PATIENCE = 240.0


async def show_package(user: User, images: Path, out: Console) -> None:
    """Import the package as a System, start its guests in their order, and take everything away."""
    package = await asyncio.to_thread(build_package, images / "guest.qcow2", images / f"{NAME}.ova")
    parameters: Document = {"source": f"file://{package}", "properties": {"ovf.greeting": "hello"}}
    await user.act("systems", "import", "importing an OVF package", parameters)
    [system] = await user.items("systems")
    await user.act(system.id, "start", "starting its two guests")
    for member in await user.items(system.href("machines") or ""):
        machine = member.href("machine") or ""
        await _ready(user, machine)
        out.print(f"  {member.name} is {(await user.get(machine)).state}, and has booted")
    await user.delete(system.id, "deleting the system")
    for image in await user.items("machineImages"):
        if image.name.endswith("disk 1"):
            await user.delete(image.id, "deleting its image")


async def _ready(user: User, machine: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while "READY" not in await user.console(machine):
        if time.monotonic() > deadline:
            raise SystemExit("a guest of the package did not boot")
        await asyncio.sleep(0.3)


def build_package(guest: Path, target: Path) -> Path:
    """Write ``shop.ova`` to ``target`` from a qcow2 image of a guest."""
    disk = target.with_suffix(".vmdk")
    options = ["-o", "subformat=streamOptimized"]
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "vmdk", *options, guest, disk], check=True)
    described = subprocess.run(["qemu-img", "info", "--output=json", disk], capture_output=True, check=True)
    size = json.loads(described.stdout)["virtual-size"]
    asyncio.run(_write(target, disk, write_envelope(_envelope(disk, size))))
    disk.unlink()
    return target


async def _write(target: Path, disk: Path, descriptor: bytes) -> None:
    async def pieces() -> AsyncGenerator[bytes, None]:
        with disk.open("rb") as opened:
            while piece := opened.read(1024 * 1024):
                yield piece

    parts = [Part(f"{NAME}-disk1.vmdk", disk.stat().st_size, pieces)]  # noqa: ASYNC240
    with target.open("wb") as package:
        async for piece in archive(NAME, descriptor, parts, int(time.time())):
            package.write(piece)


def _envelope(disk: Path, size: int) -> Envelope:
    return Envelope(
        content=VirtualSystemCollection(
            id=NAME,
            info="A shop",
            startup=(StartupItem("db", 1), StartupItem("web", 2)),
            content=(_guest("web", "boot"), _guest("db", "boot", "data")),
        ),
        files=(File("file1", f"{NAME}-disk1.vmdk", disk.stat().st_size),),
        disks=(
            Disk("boot", str(size), "byte", "file1", STREAM_OPTIMIZED),
            Disk("data", "16", "byte * 2^20", format=STREAM_OPTIMIZED),
        ),
        networks=(Network("front", "where the guests meet"),),
    )


def _guest(name: str, *disks: str) -> VirtualSystem:
    items = [
        Item("1", 3, "cpu", quantity="1"),
        Item("2", 4, "memory", quantity="128", units="byte * 2^20"),
        Item("3", 6, "controller", "VirtioSCSI", address="0"),
        Item("4", 10, "eth0", "virtio", connections=("front",), address_on_parent="0"),
    ]
    for place, disk in enumerate(disks):
        resources = (f"ovf:/disk/{disk}",)
        item = Item(str(5 + place), 17, disk, parent="3", address_on_parent=str(place), host_resources=resources)
        items.append(item)
    greeting = Property("greeting", value="welcome", user_configurable=True)
    return VirtualSystem(
        id=name,
        info="A guest",
        products=(Product(product="Shop", properties=(greeting,)),),
        hardware=(Hardware(("kvm",), frozenset({"iso"}), tuple(items)),),
    )
