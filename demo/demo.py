"""`make demo`: a private gateway, a real guest, its whole life, and nothing left behind."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import libvirt
from cimi_client import CimiError, Client, Document, Login, Query, Server

from demo.client import User, out
from demo.guest_image import build
from demo.guest_shell import run_in_guest
from demo.networks import show_network
from demo.package import show_package

POOL = "cimi-demo"
DIRECTORY = Path("/var/lib/libvirt/cimi-demo")
PASSWORD = "demo"
PORT = 18080


def prepare(home: Path) -> Path:
    """Make the configuration, user and pool of the private gateway, and return the configuration's path."""
    (home / "images").mkdir()
    build(home / "images" / "guest.qcow2")
    DIRECTORY.mkdir(mode=0o711, exist_ok=True)
    host = libvirt.open("qemu:///system")
    xml = f"<pool type='dir'><name>{POOL}</name><target><path>{DIRECTORY}</path></target></pool>"
    host.storagePoolDefineXML(xml, 0).create(0)
    host.close()
    config = home / "gateway.toml"
    config.write_text(
        f'[server]\nlisten = "127.0.0.1:{PORT}"\n[store]\npath = "gateway.db"\n[auth]\nusers_file = "users"\n'
        f'[images]\ndirectories = ["images"]\n[[hypervisor]]\nname = "local"\nuri = "qemu:///system"\n'
        f'pool = "{POOL}"\nnetwork = "default"\n'
    )
    command = [sys.executable, "-m", "gateway", "user", "add", "admin", "--role", "admin", "--config", str(config)]
    subprocess.run(command, input=PASSWORD + "\n", text=True, check=True, stdout=subprocess.DEVNULL)
    return config


def demo_domains(host: libvirt.virConnect) -> list[libvirt.virDomain]:
    """Return the domains with disks in the demo's directory; those of others may vanish meanwhile."""
    domains = []
    for domain in host.listAllDomains():
        try:
            if str(DIRECTORY) in domain.XMLDesc(0):
                domains.append(domain)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise
    return domains


def left_over() -> list[str]:
    """Return what the demo should have removed, as libvirt and the disk show it."""
    host = libvirt.open("qemu:///system")
    domains = [domain.name() for domain in demo_domains(host)]
    host.close()
    return domains + [path.name for path in DIRECTORY.iterdir()]


def clear() -> None:
    """Remove everything that the demo makes: domains, pool and directory."""
    host = libvirt.open("qemu:///system")
    flags = libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
    flags |= libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    for domain in demo_domains(host):
        if domain.isActive():
            domain.destroy()
        domain.undefineFlags(flags)
    try:
        pool = host.storagePoolLookupByName(POOL)
    except libvirt.libvirtError:
        pool = None
    if pool is not None:
        if pool.isActive():
            pool.destroy()
        pool.undefine()
    host.close()
    shutil.rmtree(DIRECTORY, ignore_errors=True)


@asynccontextmanager
async def gateway(config: Path) -> AsyncIterator[User]:
    """Serve the private gateway, and yield its user."""
    log = (config.parent / "gateway.log").open("wb")
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    async with Client(Server(f"http://127.0.0.1:{PORT}/cimi/", Login("admin", PASSWORD))) as client:
        try:
            await wait_for_answer(client)
            yield User(client)
        finally:
            process.terminate()
            await process.wait()
            log.close()


async def wait_for_answer(client: Client) -> None:
    """Wait until the gateway answers. Raises SystemExit after 30 seconds."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            await client.entry_point()
            return
        except CimiError:
            await asyncio.sleep(0.1)
    raise SystemExit("the gateway does not answer")


async def console_lines(user: User, machine: str) -> list[str]:
    """Return the first lines of the guest's console once it has booted."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        text = await user.console(machine)
        if "READY" in text:
            return [line for line in text.splitlines() if line.strip()][:5]
        await asyncio.sleep(0.3)
    raise SystemExit("the guest did not boot")


async def address(user: User, machine: str) -> str:
    """Return the guest's first IP address once the gateway shows it."""
    interfaces = (await user.get(machine, Query(expand=("networkInterfaces",)))).part("networkInterfaces")
    collection = interfaces.items[0].href("addresses") or ""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for entry in await user.items(collection, Query(expand=("address",))):
            return entry.part("address").text("ip")
        await asyncio.sleep(0.5)
    raise SystemExit("the guest got no address")


async def snapshot_and_restore(user: User, machine: str) -> None:
    """Snapshot the running guest, change its memory and disk, go back, and let the guest say what it has."""
    await write_marks(machine, "before")
    snapshot = await user.snapshot(machine, {"name": "before the change"}, "taking a snapshot")
    await write_marks(machine, "after")
    out.print(f"the guest says: {await marks(machine)}")
    await user.act(machine, "restore", "restoring the snapshot", {"image": {"href": snapshot}})
    said = await marks(machine)
    out.print(f"the guest says: {said}, and is {(await user.get(machine)).state}")
    if said != "before in memory, before on disk":
        raise SystemExit("the restored guest is not what it was")
    await user.delete(snapshot, "deleting the snapshot")


async def write_marks(machine: str, text: str) -> None:
    """Let the guest write a text into its memory and onto its disk."""
    write = f"echo {text} >/tmp/mark; echo {text} | dd of=/dev/vda2 bs=512 seek=64 conv=sync 2>/dev/null; sync"
    await asyncio.to_thread(run_in_guest, machine.rpartition("/")[2], write)


async def marks(machine: str) -> str:
    """Return the texts that the guest reads in its memory and on its disk."""
    read = "cat /tmp/mark; echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/vda2 bs=512 skip=64 count=1 2>/dev/null"
    _, output = await asyncio.to_thread(run_in_guest, machine.rpartition("/")[2], read)
    memory, disk = output.replace("\0", "").split()
    return f"{memory} in memory, {disk} on disk"


async def show(config: Path) -> None:
    """Show the life of a guest, and everything beside it."""
    async with gateway(config) as user:
        location = f"file://{config.parent / 'images' / 'guest.qcow2'}"
        image = (
            await user.make("machineImages", {"name": "guest", "imageLocation": location}, "importing the image")
        ).id
        template: Document = {"machineConfig": {"cpu": 1, "memory": 131072}, "machineImage": {"href": image}}
        made = await user.make("machines", {"name": "demo", "machineTemplate": template}, "creating and starting")
        machine = made.id
        out.print(f"{machine} is {made.state}")
        for line in await console_lines(user, machine):
            out.print(f"  console: {line}", markup=False)
        out.print(f"address: {await address(user, machine)}")
        await show_volume(user, machine)
        await snapshot_and_restore(user, machine)
        await show_network(user, machine, image, out)
        await user.act(machine, "stop", "stopping by the power button")
        await user.delete(machine, "deleting the machine")
        await user.delete(image, "deleting the image")
        await show_package(user, config.parent / "images", out)


async def show_volume(user: User, machine: str) -> None:
    """Connect a Volume to the running guest, which writes it, and take it away."""
    document: Document = {"name": "data", "volumeTemplate": {"volumeConfig": {"capacity": 16_000}}}
    volume = (await user.make("volumes", document, "creating a volume")).id
    volumes = (await user.get(machine)).href("volumes") or ""
    attachment = await user.make(volumes, {"volume": {"href": volume}}, "connecting it to the guest")
    disk = await device_in_guest(machine, volume)
    written = await in_guest(machine, f"echo written by the guest >/dev/{disk} && sync && head -n 1 /dev/{disk}")
    size = await in_guest(machine, f"cat /sys/block/{disk}/size")
    out.print(f"  the guest has it at /dev/{disk}, {size} sectors, and reads: {written}")
    await user.delete(attachment.id, "disconnecting the volume")
    await user.delete(volume, "deleting the volume")


async def device_in_guest(machine: str, volume: str) -> str:
    """Return the guest's device that bears the Volume's serial number."""
    serial = volume.rpartition("/")[2][:20]
    command = f"grep -l {serial} /sys/block/*/serial 2>/dev/null | cut -d/ -f4; true"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if disk := await in_guest(machine, command):
            return disk
        await asyncio.sleep(0.3)
    raise SystemExit("the guest does not see the volume")


async def in_guest(machine: str, command: str) -> str:
    """Return what a command prints in the guest, by its serial console."""
    code, text = await asyncio.to_thread(run_in_guest, machine.rpartition("/")[2], command)
    if code:
        raise SystemExit(f"in the guest, {command}: {text}")
    return text.strip()


def main() -> None:
    # libvirt's own lines would stand between ours; the exceptions carry what they say.
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    clear()
    with tempfile.TemporaryDirectory() as home:
        try:
            asyncio.run(show(prepare(Path(home))))
            left = left_over()
        except CimiError as error:
            raise SystemExit(str(error)) from None
        finally:
            clear()
    if left:
        raise SystemExit(f"left behind: {', '.join(left)}")
    out.print("nothing is left behind")


if __name__ == "__main__":
    main()
