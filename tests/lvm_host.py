"""A small host with a real volume group: libvirtd and LVM on Debian's kernel in a virtual machine.

Whether the kernel that runs the tests has a device mapper does not matter. libvirtd is the one that is installed here.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import libvirt

from demo.guest_image import CACHE, add_modules, archived, install_tools, run, unpacked_packages
from tests.cimi_client import wait_until
from tests.gateway_process import free_port

HERE = Path(__file__).resolve().parent
INIT = HERE / "lvm_host_init.sh"
PACKAGES = ("busybox-static", "lvm2", "libdevmapper1.02.1", "libdevmapper-event1.02.1", "libaio1", "libedit2")
MODULES = "virtio_pci virtio_blk virtio_net dm_mod dm_snapshot dm_zero"
COMMAND_LINE = "console=ttyS0 quiet tsc=unstable mitigations=off panic=5"
LIBRARIES = Path("usr/lib/x86_64-linux-gnu")
LIBVIRT = Path("/") / LIBRARIES / "libvirt"
DRIVERS = ("connection-driver", "libvirt_driver_"), ("storage-backend", "libvirt_storage_backend_")
LOADED = {"connection-driver": ("network", "qemu", "storage"), "storage-backend": ("fs", "logical")}
GROUP = "cimi"
GROUP_MIB = 256
FILES = {
    "etc/passwd": "root:x:0:0:root:/:/bin/sh\nlibvirt-qemu:x:64055:64055::/:/bin/sh\n",
    "etc/group": "root:x:0:\nkvm:x:104:\ndisk:x:6:\nlibvirt:x:105:\nlibvirt-qemu:x:64055:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "etc/hosts": "127.0.0.1 localhost lvmhost\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/libvirt/libvirtd.conf": 'listen_tls = 0\nlisten_tcp = 1\nauth_tcp = "none"\nlog_outputs = "2:stderr"\n',
    "etc/libvirt/qemu.conf": "",
    # Nothing answers for udev here: LVM makes its device nodes by itself.
    "etc/lvm/lvm.conf": """
devices { obtain_device_list_from_udev = 0 external_device_info_source = "none" use_devicesfile = 0 }
activation { udev_sync = 0 udev_rules = 0 verify_udev_operations = 0 monitoring = 0 }
""",
}


@dataclass
class LvmHost:
    """Start it, and connect to ``uri``; its console tells what went wrong."""

    home: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"qemu+tcp://127.0.0.1:{self.port}/system"

    @property
    def console(self) -> Path:
        return self.home / "console"

    def start(self) -> None:
        kernel, initrd = build()
        disk = self.home / "disk.raw"
        with disk.open("wb") as file:
            file.truncate((GROUP_MIB + 4) * 1024**2)
        command = ["setpriv", "--pdeathsig=KILL", "qemu-system-x86_64", "-accel", "tcg", "-m", "768", "-smp", "2"]
        command += ["-nodefaults", "-display", "none", "-no-reboot", "-serial", f"file:{self.console}"]
        command += ["-kernel", str(kernel), "-initrd", str(initrd), "-append", COMMAND_LINE]
        command += ["-drive", f"file={disk},format=raw,if=virtio,cache=unsafe"]
        command += ["-nic", f"user,model=virtio-net-pci,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:16509"]
        self.process = subprocess.Popen(command)
        wait_until(self.answers, 240, "libvirtd on the host with LVM answers")

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.tail()
        try:
            libvirt.open(self.uri).close()
        except libvirt.libvirtError:
            return False
        return True

    def tail(self) -> str:
        return self.console.read_text(errors="replace")[-4000:] if self.console.exists() else ""

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def running(home: Path) -> Iterator[LvmHost]:
    host = LvmHost(home)
    try:
        host.start()
        yield host
    finally:
        host.stop()


def build() -> tuple[Path, Path]:
    """Kernel and first root file system, kept in the cache."""
    recipe = Path(__file__).read_bytes() + INIT.read_bytes() + run("dpkg-query", "-W", "libvirt-daemon", "qemu-utils")
    kept = CACHE / f"lvm-host-{hashlib.sha256(recipe).hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "guest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            install_tools()
            with tempfile.TemporaryDirectory(dir=CACHE) as work:
                _build(Path(work), kept)
    return kept / "kernel", kept / "initrd"


def _build(work: Path, output: Path) -> None:
    unpacked = unpacked_packages(work, *PACKAGES)
    tree = _tree(work, unpacked)
    made = work / "made"
    made.mkdir()
    shutil.copy(next(unpacked.glob("boot/vmlinuz-*")), made / "kernel")
    (made / "initrd").write_bytes(archived(tree))
    made.rename(output)


def _tree(work: Path, unpacked: Path) -> Path:
    tree = work / "tree"
    for name in ("proc", "sys", "dev", "tmp", "run/lock/lvm", "var/log", "var/lib", "usr/lib/modules", "usr/lib64"):
        (tree / name).mkdir(parents=True)
    for name in ("bin", "sbin"):
        (tree / "usr" / name).mkdir()
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / name).symlink_to(f"usr/{name}")
    (tree / "var/run").symlink_to("/run")
    for name, text in FILES.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    shutil.copy(INIT, tree / "init")
    shutil.copy(next(unpacked.glob("**/bin/busybox")), tree / "bin/busybox")
    (tree / "bin/sh").symlink_to("busybox")
    shutil.copytree("/usr/share/libvirt", tree / "usr/share/libvirt")
    _programs(unpacked, tree)
    add_modules(unpacked, tree, MODULES.split())
    return tree


def _programs(unpacked: Path, tree: Path) -> None:
    lvm = next(unpacked.glob("**/sbin/lvm"))
    programs = [lvm, Path("/usr/sbin/libvirtd"), Path("/usr/bin/qemu-img"), Path("/usr/lib/libvirt/libvirt_iohelper")]
    for directory, prefix in DRIVERS:
        programs += [LIBVIRT / directory / f"{prefix}{name}.so" for name in LOADED[directory]]
    for program in programs:
        inside = program.relative_to(unpacked if program is lvm else "/")
        place = tree / (inside if str(inside).startswith("usr") else f"usr/{inside}")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(program, place)
        _libraries(program, unpacked, tree)
    for link in lvm.parent.iterdir():
        if link.is_symlink():
            (tree / "sbin" / link.name).symlink_to("lvm")


def _libraries(program: Path, unpacked: Path, tree: Path) -> None:
    """What the program is linked with; what came with the packages first."""
    places = ":".join(str(unpacked / name) for name in (LIBRARIES, "lib/x86_64-linux-gnu"))
    shown = run("env", f"LD_LIBRARY_PATH={places}", "ldd", str(program)).decode()
    for found in re.finditer(r"(?:=> )?(/\S+) \(0x", shown):
        path = Path(found.group(1))
        place = tree / ("lib64" if path.parent.name == "lib64" else LIBRARIES) / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            shutil.copy(path, place)
