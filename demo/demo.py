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

import aiohttp
import libvirt

from demo.basic_auth import basic_auth
from demo.client import ACTION, Client, out
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
async def gateway(config: Path) -> AsyncIterator[Client]:
    """Serve the private gateway, and yield its client."""
    log = (config.parent / "gateway.log").open("wb")
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    base = f"http://127.0.0.1:{PORT}/cimi/"
    headers = {"Authorization": basic_auth("admin", PASSWORD)}
    async with aiohttp.ClientSession(headers=headers) as session:
        try:
            await wait_for_answer(session, base)
            yield Client(session)
        finally:
            process.terminate()
            await process.wait()
            log.close()


async def wait_for_answer(session: aiohttp.ClientSession, base: str) -> None:
    """Wait until the gateway answers. Raises SystemExit after 30 seconds."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            async with session.get(base) as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.1)
    raise SystemExit("the gateway does not answer")


async def console_lines(client: Client, machine: str) -> list[str]:
    """Return the first lines of the guest's console once it has booted."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        text = await (await client.call("GET", f"{machine}/console")).text()
        if "READY" in text:
            return [line for line in text.splitlines() if line.strip()][:5]
        await asyncio.sleep(0.3)
    raise SystemExit("the guest did not boot")


async def address(client: Client, machine: str) -> str:
    """Return the guest's first IP address once the gateway shows it."""
    interfaces = (await client.get(f"{machine}?$expand=networkInterfaces"))["networkInterfaces"]
    collection = interfaces["machineNetworkInterfaces"][0]["addresses"]["href"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        listed = await client.get(f"{collection}?$expand=address")
        for entry in listed.get("machineNetworkInterfaceAddresses", []):
            return str(entry["address"]["ip"])
        await asyncio.sleep(0.5)
    raise SystemExit("the guest got no address")


async def snapshot_and_restore(client: Client, machine: str) -> None:
    """Snapshot the running guest, change its memory and disk, go back, and let the guest say what it has."""
    await write_marks(machine, "before")
    answer = await client.call("POST", f"{machine}/snapshot", {"name": "before the change"})
    snapshot = answer.headers["Location"]
    await client.follow(answer, "taking a snapshot")
    await write_marks(machine, "after")
    out.print(f"the guest says: {await marks(machine)}")
    restore = {"action": ACTION + "restore", "image": {"href": snapshot}}
    await client.follow(await client.call("POST", f"{machine}/restore", restore), "restoring the snapshot")
    restored = await marks(machine)
    out.print(f"the guest says: {restored}, and is {(await client.get(machine))['state']}")
    if restored != "before in memory, before on disk":
        raise SystemExit("the restored guest is not what it was")
    await client.follow(await client.call("DELETE", snapshot), "deleting the snapshot")


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
    async with gateway(config) as client:
        base = f"http://127.0.0.1:{PORT}/cimi/"
        location = f"file://{config.parent / 'images' / 'guest.qcow2'}"
        answer = await client.call("POST", base + "machineImages", {"name": "guest", "imageLocation": location})
        image = answer.headers["Location"]
        await client.follow(answer, "importing the image")
        template = {"machineConfig": {"cpu": 1, "memory": 131072}, "machineImage": {"href": image}}
        answer = await client.call("POST", base + "machines", {"name": "demo", "machineTemplate": template})
        machine = answer.headers["Location"]
        await client.follow(answer, "creating and starting")
        out.print(f"{machine} is {(await client.get(machine))['state']}")
        for line in await console_lines(client, machine):
            out.print(f"  console: {line}", markup=False)
        out.print(f"address: {await address(client, machine)}")
        await show_volume(client, base, machine)
        await snapshot_and_restore(client, machine)
        await show_network(client, base, machine, image, out)
        await client.act(machine, "stop", "stopping by the power button")
        await client.follow(await client.call("DELETE", machine), "deleting the machine")
        await client.follow(await client.call("DELETE", image), "deleting the image")
        await show_package(client, base, config.parent / "images", out)


async def show_volume(client: Client, base: str, machine: str) -> None:
    """Connect a Volume to the running guest, which writes it, and take it away."""
    template = {"volumeConfig": {"capacity": 16_000}}
    answer = await client.call("POST", base + "volumes", {"name": "data", "volumeTemplate": template})
    volume = answer.headers["Location"]
    await client.follow(answer, "creating a volume")
    answer = await client.call("POST", f"{machine}/volumes", {"volume": {"href": volume}})
    attachment = answer.headers["Location"]
    await client.follow(answer, "connecting it to the guest")
    disk = await device_in_guest(machine, volume)
    written = await in_guest(machine, f"echo written by the guest >/dev/{disk} && sync && head -n 1 /dev/{disk}")
    size = await in_guest(machine, f"cat /sys/block/{disk}/size")
    out.print(f"  the guest has it at /dev/{disk}, {size} sectors, and reads: {written}")
    await client.follow(await client.call("DELETE", attachment), "disconnecting the volume")
    await client.follow(await client.call("DELETE", volume), "deleting the volume")


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
    """Run the demo between two cleanings; end with an error when it leaves anything behind."""
    # libvirt's own lines would stand between ours; the exceptions carry what they say.
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    clear()
    with tempfile.TemporaryDirectory() as home:
        try:
            asyncio.run(show(prepare(Path(home))))
            left = left_over()
        finally:
            clear()
    if left:
        raise SystemExit(f"left behind: {', '.join(left)}")
    out.print("nothing is left behind")


if __name__ == "__main__":
    main()
