"""Builder of a small bootable disk image from Debian's cloud kernel and busybox, without loop mounts, in seconds.

The guest takes an address by DHCP on each interface, reads its NoCloud seed, powers off on the ACPI button, prints
``READY <hostname>`` on its serial console, and offers a shell there. ``python -m demo.guest_image OUTPUT`` builds the
guest of the catalogue, ``demo``, which has an sshd besides and lets in whom its seed names.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / "var" / "cache"
PACKAGES = "syslinux syslinux-common systemd-boot-efi mtools dosfstools fdisk e2fsprogs cpio kmod binutils qemu-utils"
MODULES = """virtio_pci virtio_blk virtio_net virtio_console virtio_balloon virtio_scsi sr_mod isofs button evdev
pvpanic-mmio"""
LOGIN_MODULES = "ext4"
"""The module for the disk on which a guest with an sshd keeps its host keys."""
SSHD = "dropbear-bin"
SIZE_MIB = 32
COMMAND_LINE = " ".join(
    (
        "console=ttyS0 quiet tsc=unstable mitigations=off panic=5",
        # What a guest of tests has no need of, and what takes a seventh of its boot where KVM is missing.
        "nowatchdog cryptomgr.notests audit=0 apparmor=0 rcupdate.rcu_expedited=1",
        "initcall_blacklist=init_kprobe_trace,crypto_kdf108_init,load_system_certificate_list",
    )
)
PARTITIONS = b"label: dos\nstart=2048, size=53248, type=c, bootable\nstart=55296, type=83\n"
UEFI_PARTITIONS = b"label: gpt\nstart=2048, size=61440, type=uefi\n"
UEFI_LOADER = Path("/usr/lib/systemd/boot/efi/systemd-bootx64.efi")
UEFI_ENTRY = f"linux /vmlinuz\ninitrd /initrd\noptions {COMMAND_LINE}\n"
SYSLINUX = f"""DEFAULT linux
PROMPT 0
TIMEOUT 0
LABEL linux
  KERNEL vmlinuz
  INITRD initrd
  APPEND {COMMAND_LINE}
"""


def run(*command: str, cwd: Path | None = None, data: bytes | None = None) -> bytes:
    """Return what a command prints. Raises SystemExit with its errors when it fails."""
    done = subprocess.run(command, cwd=cwd, input=data, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr.decode(errors='replace')}")
    return done.stdout


@dataclass(frozen=True)
class Recipe:
    """The kind of guest: its firmware, ``bios`` or ``uefi`` alone, more modules of the kernel's, and whether by ssh."""

    firmware: str = "bios"
    modules: str = ""
    login: bool = False

    @property
    def name(self) -> str:
        """A name that no other recipe has, nor another version of this program."""
        parts = [(HERE / name).read_bytes() for name in ("guest_image.py", "guest_init.sh")]
        parts += [(HERE / "guest_login.sh").read_bytes()] if self.login else []
        whole = b"".join(parts) + self.modules.encode()
        kind = f"{self.firmware}{'-login' if self.login else ''}"
        return f"guest-{kind}-{hashlib.sha256(whole).hexdigest()[:16]}.qcow2"


def build(output: Path, firmware: str = "bios", modules: str = "", *, login: bool = False) -> Path:
    """Write the image as qcow2 to ``output``, booting by ``bios`` or ``uefi`` alone; copied from a cache.

    ``modules`` are more of the kernel's, beside those that every guest needs. ``login``: with an sshd.
    """
    recipe = Recipe(firmware, modules, login)
    kept = CACHE / recipe.name
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "guest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            with tempfile.TemporaryDirectory() as work:
                _build(Path(work), kept, recipe)
    shutil.copyfile(kept, output)
    return output


def _build(work: Path, output: Path, recipe: Recipe) -> None:
    install_tools()
    tree, kernel = _unpack(work, recipe)
    initrd = work / "initrd"
    initrd.write_bytes(run("gzip", "-9", data=archived(tree)))
    disk = {"bios": _disk, "uefi": _uefi_disk}[recipe.firmware](work, kernel, initrd)
    partial = output.with_suffix(".partial")
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", str(disk), str(partial))
    partial.rename(output)


def archived(tree: Path) -> bytes:
    """Return the archive of a tree, as a kernel takes it for its first root file system."""
    names = b"\n".join(str(path.relative_to(tree)).encode() for path in [tree, *tree.rglob("*")])
    return run("cpio", "-o", "-H", "newc", "--quiet", cwd=tree, data=names)


def install_tools() -> None:
    """Install the Debian packages that building needs, where they are missing."""
    tools = ("syslinux", "mcopy", "mkfs.vfat", "sfdisk", "cpio", "depmod")
    if not UEFI_LOADER.exists() or not all(shutil.which(name) for name in tools):
        run("apt-get", "update")
        run("apt-get", "install", "-y", "--no-install-recommends", *PACKAGES.split())


def unpacked_packages(work: Path, *names: str) -> Path:
    """Return a directory with Debian's cloud kernel and the named packages, unpacked."""
    packages = work / "packages"
    packages.mkdir()
    work.chmod(0o755)
    described = run("apt-cache", "depends", "--no-recommends", "--no-suggests", "linux-image-cloud-amd64").decode()
    match = re.search(r"Depends: (linux-image-\S+)", described)
    if match is None:
        run("apt-get", "update")
        described = run("apt-cache", "depends", "--no-recommends", "linux-image-cloud-amd64").decode()
        match = re.search(r"Depends: (linux-image-\S+)", described)
    assert match is not None, "Debian's cloud kernel package was not found"
    run("apt-get", "download", "-o", "APT::Sandbox::User=root", *names, match.group(1), cwd=packages)
    unpacked = work / "unpacked"
    for package in packages.glob("*.deb"):
        run("dpkg-deb", "-x", str(package), str(unpacked))
    return unpacked


def _unpack(work: Path, recipe: Recipe) -> tuple[Path, Path]:
    """Return the root file system's tree and the kernel, from Debian's packages."""
    unpacked = unpacked_packages(work, "busybox-static", *(_with_dependencies(SSHD) if recipe.login else ()))
    tree = work / "tree"
    for name in ("bin", "sbin", "proc", "sys", "dev", "etc/acpi/PWRF", "tmp", "mnt", "lib/modules", "root", "run"):
        (tree / name).mkdir(parents=True)
    shutil.copy(next(unpacked.glob("**/bin/busybox")), tree / "bin" / "busybox")
    (tree / "bin" / "sh").symlink_to("busybox")
    shutil.copy(HERE / "guest_init.sh", tree / "init")
    (tree / "init").chmod(0o755)
    more = recipe.modules
    if recipe.login:
        more += f" {LOGIN_MODULES}"
        shutil.copy(HERE / "guest_login.sh", tree / "login.sh")
        add_program(unpacked, tree, "dropbear")
    add_modules(unpacked, tree, [*MODULES.split(), *more.split()])
    return tree, next(unpacked.glob("boot/vmlinuz-*"))


def _with_dependencies(package: str) -> list[str]:
    """Return the names of a package and of all that it needs to run."""
    kinds = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    without = [f"--no-{kind}" for kind in kinds]
    described = run("apt-cache", "depends", "--recurse", *without, package).decode()
    return [line for line in described.splitlines() if re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", line)]


def add_program(unpacked: Path, tree: Path, name: str) -> None:
    """Copy a program into the tree with the libraries that it is linked with."""
    places = {path.name: path for path in unpacked.rglob("*") if path.is_file()}
    (tree / "lib64").mkdir(exist_ok=True)
    waiting, done = [name, "ld-linux-x86-64.so.2"], set()
    while waiting:
        file = waiting.pop()
        if file in done:
            continue
        done.add(file)
        folder = {name: "bin", "ld-linux-x86-64.so.2": "lib64"}.get(file, "lib")
        shutil.copy(places[file], tree / folder / file)
        needed = run("objdump", "-p", str(places[file])).decode()
        waiting += re.findall(r"^ +NEEDED +(\S+)$", needed, re.MULTILINE)


def add_modules(unpacked: Path, tree: Path, modules: list[str]) -> None:
    """Copy the needed kernel modules into the tree, numbered in the order in which they are to be loaded."""
    root = next(path for path in (unpacked / "usr", unpacked) if (path / "lib" / "modules").exists())
    version = next((root / "lib" / "modules").iterdir()).name
    run("depmod", "-b", str(root), version)
    order: list[Path] = []
    for module in modules:
        dependencies = run("modprobe", "-d", str(root), "-S", version, "--show-depends", module).decode()
        for line in dependencies.splitlines():
            if line.startswith("insmod "):
                path = Path(line.split()[1])
                if path not in order:
                    order.append(path)
    for number, path in enumerate(order):
        shutil.copy(path, tree / "lib" / "modules" / f"{number:02}-{path.name}")


def _partitioned(work: Path, partitions: bytes) -> Path:
    disk = work / "disk.raw"
    with disk.open("wb") as file:
        file.truncate(SIZE_MIB * 1024**2)
    run("sfdisk", "--quiet", str(disk), data=partitions)
    return disk


def _uefi_disk(work: Path, kernel: Path, initrd: Path) -> Path:
    """Write a disk with a GPT and an EFI system partition, and nothing that a BIOS could boot."""
    disk, entry = _partitioned(work, UEFI_PARTITIONS), work / "guest.conf"
    entry.write_text(UEFI_ENTRY)
    partition = f"{disk}@@1M"
    run("mkfs.vfat", "-F", "16", "--offset", "2048", str(disk), str(61440 // 2))
    run("mmd", "-i", partition, "::EFI", "::EFI/BOOT", "::loader", "::loader/entries")
    run("mcopy", "-i", partition, str(UEFI_LOADER), "::EFI/BOOT/BOOTX64.EFI")
    for source, name in ((kernel, "vmlinuz"), (initrd, "initrd"), (entry, "loader/entries/guest.conf")):
        run("mcopy", "-i", partition, str(source), f"::{name}")
    return disk


def _disk(work: Path, kernel: Path, initrd: Path) -> Path:
    disk = _partitioned(work, PARTITIONS)
    boot_code = Path("/usr/lib/syslinux/mbr/mbr.bin").read_bytes()
    with disk.open("r+b") as file:
        file.write(boot_code[:440])
    # The loader reads cluster after cluster through the BIOS: large ones are fewer.
    run("mkfs.vfat", "-F", "12", "-s", "64", "--offset", "2048", str(disk), str(53248 // 2))
    config = work / "syslinux.cfg"
    config.write_text(SYSLINUX)
    for source, name in ((kernel, "vmlinuz"), (initrd, "initrd"), (config, "syslinux.cfg")):
        run("mcopy", "-i", f"{disk}@@1M", str(source), f"::{name}")
    run("syslinux", "--install", "--offset", str(2048 * 512), str(disk))
    run("mke2fs", "-q", "-F", "-E", f"offset={55296 * 512}", "-L", "data", str(disk), "4M")
    return disk


if __name__ == "__main__":
    print(build(Path(sys.argv[1]), login=True))
