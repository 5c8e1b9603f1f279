"""A Debian host of its own with systemd as its init, in namespaces of this machine (systemd-nspawn).

The root file system is an overlay over a tree that is only read, so that a host costs what it writes. Guests are
emulated; libvirt's cgroup controllers are off, since this machine's are not the host's to divide.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cimi_client import wait_until
from tests.source import copy_source

SECONDS = 240
CHECKOUT = "/root/cimi-gateway"
WHEELS = "/srv/wheels"
BOOT = """
set -eu
first_boot() {
    : >etc/machine-id
    : >etc/fstab
    echo hv1 >etc/hostname
    echo '127.0.0.1 localhost hv1' >etc/hosts
    echo 'cgroup_controllers = [ ]' >>etc/libvirt/qemu.conf
    mkdir -p root/cimi-gateway srv/wheels
    touch "$HOME_DIR/booted"
}
mount -t overlay overlay -o "lowerdir=$TREE,upperdir=$HOME_DIR/upper,workdir=$HOME_DIR/work" "$HOME_DIR/merged"
cd "$HOME_DIR/merged"
[ -e "$HOME_DIR/booted" ] || first_boot
exec systemd-nspawn --boot --quiet --machine="$NAME" --directory="$HOME_DIR/merged" --register=no --keep-unit \
    --private-network --capability=all --console=pipe --link-journal=no --resolv-conf=off --timezone=off \
    --bind=/dev/net/tun --bind="$HOME_DIR/checkout:/root/cimi-gateway" --bind-ro="$WHEELS:/srv/wheels"
"""
ENVIRONMENT = ("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb", "PIP_NO_INDEX=1",
               f"PIP_FIND_LINKS={WHEELS}", "PIP_ROOT_USER_ACTION=ignore", "DEBIAN_FRONTEND=noninteractive")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """What a command wrote, and its exit status."""

    status: int
    out: str
    err: str


class HostMachine:
    """``home`` is a directory of this machine on a file system that an overlay can write to."""

    def __init__(self, tree: Path, wheels: Path, home: Path) -> None:
        self.tree, self.wheels, self.home = tree, wheels, home
        self.process: subprocess.Popen[bytes] | None = None
        for name in ("upper", "work", "merged", "checkout"):
            (home / name).mkdir()
        copy_source(self.checkout)

    @property
    def checkout(self) -> Path:
        """The checkout that the host sees as CHECKOUT."""
        return self.home / "checkout"

    def start(self) -> None:
        """Boot, in a mount namespace that goes with it."""
        unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
        settings = {"TREE": self.tree, "HOME_DIR": self.home, "WHEELS": self.wheels, "NAME": f"cimi{os.getpid()}"}
        environment = {**os.environ, **{name: str(value) for name, value in settings.items()}}
        environment["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY"] = "1" if unified else "0"
        with (self.home / "console").open("ab") as console:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", BOOT],
                env=environment, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
            )  # fmt: skip
        wait_until(self._is_up, SECONDS, f"the host boots; its console: {self.home / 'console'}")

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.home / "console").read_text(errors="replace")[-3000:]
        return self._init() is not None and self.run("systemctl is-active multi-user.target").status == 0

    def _init(self) -> str | None:
        """The process id of the host's systemd, as this machine counts."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return children[0] if children else None

    def run(self, command: str, stdin: str = "", cwd: str = "/") -> Said:
        """Run a command of the shell as root inside."""
        init = self._init()
        assert init is not None, "the host does not run"
        enter = ["nsenter", "-t", init, "-m", "-u", "-i", "-n", "-p", "-C", "env", "-i", *ENVIRONMENT]
        shell = ["sh", "-c", f"cd {shlex.quote(cwd)} && {command}"]
        done = subprocess.run(
            [*enter, *shell], input=stdin, capture_output=True, text=True, errors="replace", check=False, timeout=900
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def must(self, command: str, stdin: str = "", cwd: str = "/") -> str:
        """Run a command that has to succeed; what it wrote."""
        said = self.run(command, stdin, cwd)
        assert said.status == 0, f"{command}: {said.status}\n{said.out[-3000:]}\n{said.err[-3000:]}"
        return said.out

    def write(self, path: str, text: str) -> None:
        """Write a file inside; what it belongs to and its mode stay."""
        self.must(f"cat >{shlex.quote(path)}", stdin=text)

    def property(self, name: str, unit: str = "cimi-gateway") -> str:
        """Return a property of a unit, as ``systemctl show`` has it."""
        return self.must(f"systemctl show {unit} --property={name} --value").strip()

    def journal(self, *matches: str) -> list[dict[str, Any]]:
        """Return the journal's entries with these fields."""
        self.must("journalctl --sync")
        return [json.loads(line) for line in self.must(f"journalctl -o json {shlex.join(matches)}").splitlines()]

    def reboot(self) -> None:
        """Power off in order, and boot again."""
        self.run("systemctl poweroff")
        assert self.process is not None
        self.process.wait(SECONDS)
        self.start()

    def stop(self) -> None:
        """End all of it at once: without its init nothing of a PID namespace lives on."""
        if self.process is not None and self.process.poll() is None:
            init = self._init()
            if init is not None:
                os.kill(int(init), signal.SIGKILL)
            self.process.wait(SECONDS)


@contextmanager
def host_machine(tree: Path, wheels: Path) -> Iterator[HostMachine]:
    """A host that is not booted yet; afterwards nothing is left of it."""
    home = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="cimi-host-"))
    machine = HostMachine(tree, wheels, home)
    try:
        yield machine
    finally:
        machine.stop()
        shutil.rmtree(home)
