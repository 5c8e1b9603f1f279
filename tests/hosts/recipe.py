"""Makes hypervisor hosts beside this one: namespaces, a libvirtd with TLS, a cable that can be pulled.

Each host has a NAT network and a directory pool, both named default. Needs root. Test runs beside each other have sites
of their own: a directory, a bridge, a range of addresses. What a run that was killed has left of a site is taken away
first, and nothing is left at the end: no process, link, mount, control group or directory.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.cimi_client import wait_until
from tests.hosts.pki import Authority

PLACE = Path("/var/tmp")
"""Where guests' processes get through, which they do not below a temporary folder of ours."""
SITES = range(8)
INIT = Path(__file__).with_name("host_init.sh")
CGROUPS = tuple(Path("/sys/fs/cgroup") / controller for controller in ("cpu", "cpuacct"))
SECONDS = 120.0

LIBVIRTD = """
listen_tls = 1
listen_tcp = 0
listen_addr = "{address}"
auth_tls = "none"
auth_unix_ro = "none"
auth_unix_rw = "none"
ca_file = "{pki}/cacert.pem"
cert_file = "{pki}/servercert.pem"
key_file = "{pki}/serverkey.pem"
host_uuid = "{uuid}"
keepalive_interval = 5
keepalive_count = 5
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
"""
QEMU = """
user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = ["cpu", "cpuacct"]
migration_address = "{address}"
migration_host = "{address}"
keepalive_interval = 2
keepalive_count = 2
"""
NETWORK = """<network><name>default</name><forward mode='nat'/><bridge name='virbr0' stp='on' delay='0'/>
<mac address='52:54:00:d3:00:0{number}'/><ip address='192.168.122.1' netmask='255.255.255.0'>
<dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>"""
POOL_PATH = "/var/lib/libvirt/images"
POOL = f"<pool type='dir'><name>default</name><target><path>{POOL_PATH}</path></target></pool>"


def run(*command: str) -> str:
    """Its output. Raises AssertionError with what it said when it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


@dataclass(frozen=True)
class Site:
    """The hosts of one test run."""

    number: int

    @property
    def home(self) -> Path:
        return PLACE / f"cimi-test-hosts-{self.number}"

    @property
    def net(self) -> str:
        return f"10.211.{self.number}"

    @property
    def bridge(self) -> str:
        return f"cimisite{self.number}"


@dataclass
class RemoteHost:
    site: Site
    number: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return f"hv{self.number}"

    @property
    def link(self) -> str:
        """Our end of its cable."""
        return f"cimi{self.site.number}{self.name}"

    @property
    def address(self) -> str:
        return f"{self.site.net}.{self.number}"

    @property
    def uuid(self) -> str:
        return f"c1a10000-0000-4000-8000-0000000000{self.site.number}{self.number}"

    @property
    def home(self) -> Path:
        return self.site.home / self.name

    @property
    def groups(self) -> list[Path]:
        """The control groups that hold all its processes."""
        return [group / f"cimi-{self.site.number}{self.name}" for group in CGROUPS if group.is_dir()]

    @property
    def uri(self) -> str:
        return f"qemu+tls://{self.address}/system?pkipath={self.site.home / 'pki'}"

    @property
    def images(self) -> Path:
        """The directory of its pool, seen from outside."""
        return self.home / POOL_PATH.lstrip("/")

    @property
    def consoles(self) -> Path:
        return self.home / "var/lib/libvirt/cimi-console"

    # Making it

    def prepare(self, authority: Authority) -> None:
        libvirt = self.home / "etc/libvirt"
        for kept in ("qemu/networks", "storage"):
            (libvirt / kept / "autostart").mkdir(parents=True)
        for place in ("images", "qemu", "boot", "dnsmasq"):
            (self.home / "var/lib/libvirt" / place).mkdir(parents=True)
        for place in ("cache/libvirt/qemu", "log/libvirt/qemu"):
            (self.home / "var" / place).mkdir(parents=True)
        authority.write(self.home / "pki", self.name, self.address)
        known = {"address": self.address, "pki": self.home / "pki", "uuid": self.uuid, "number": self.number}
        (self.home / "hosts").write_text(f"127.0.0.1 localhost\n{self.address} {self.name}\n")
        (libvirt / "libvirtd.conf").write_text(LIBVIRTD.format(**known))
        (libvirt / "qemu.conf").write_text(QEMU.format(**known))
        for directory, xml in (("qemu/networks", NETWORK.format(**known)), ("storage", POOL)):
            (libvirt / directory / "default.xml").write_text(xml)
            (libvirt / directory / "autostart/default.xml").symlink_to(f"/etc/libvirt/{directory}/default.xml")

    def boot(self) -> None:
        """Switch it on, with its disks as they are; returns once its libvirt answers."""
        (self.home / "ready").unlink(missing_ok=True)
        for group in self.groups:
            group.mkdir(exist_ok=True)
        joined = "; ".join(f"echo $$ >{group}/cgroup.procs" for group in self.groups) or ":"
        namespaces = "--net --mount --uts --ipc --pid --cgroup --fork --kill-child"
        command = f"{joined}; exec unshare {namespaces} bash {INIT} {self.home} {self.name} {self.address}/24"
        with (self.home / "init.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        init = wait_until(self._find_init, SECONDS, f"{self.name} begins")
        hardware = f"02:00:0a:d3:00:0{self.number}"
        peer = ("peer", "name", "eth0", "address", hardware, "netns", str(init))
        run("ip", "link", "add", self.link, "mtu", "1500", "type", "veth", *peer)
        run("ip", "link", "set", self.link, "master", self.site.bridge, "up")
        wait_until((self.home / "ready").exists, SECONDS, f"{self.name} is up; {self.home}/init.log")

    def _find_init(self) -> int | None:
        """Process 1 of the host, by its number outside, once it is in its own network."""
        assert self.process is not None
        assert self.process.poll() is None, (self.home / "init.log").read_text()
        outer = self.process.pid
        for child in Path(f"/proc/{outer}/task/{outer}/children").read_text().split():
            with suppress(OSError):
                if Path(f"/proc/{child}/ns/net").readlink() != Path("/proc/self/ns/net").readlink():
                    return int(child)
        return None

    # What happens to it

    def crash(self) -> None:
        """Power loss: everything in it ends at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        self.remove_traces()

    def processes(self) -> list[int]:
        """Those that hold it up, also of a run that was killed."""
        home, found = str(self.home).encode(), []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and home in (entry / "cmdline").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    def remove_traces(self) -> None:
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        wait_until(lambda: not self.processes(), SECONDS, f"the processes of {self.name} end")
        subprocess.run(["ip", "link", "delete", self.link], capture_output=True, check=False)
        for group in self.groups:
            wait_until(partial(_removed, group), SECONDS, f"{self.name} leaves {group}")

    def unplug(self) -> None:
        run("ip", "link", "set", self.link, "down")

    def plug(self) -> None:
        run("ip", "link", "set", self.link, "up")

    def run(self, *command: str) -> str:
        """The output of a command inside the host."""
        return run("nsenter", "--all", "--target", str(self._find_init()), *command)

    def virsh(self, *arguments: str) -> str:
        return self.run("virsh", "-q", "-c", "qemu:///system", *arguments).strip()

    def _signal_daemon(self, word: str) -> None:
        self.run("kill", f"-{word}", self.run("cat", "/run/libvirtd.pid").strip())

    def freeze(self) -> None:
        """Its libvirtd stops in the middle of whatever it does; the kernel goes on taking connections."""
        self._signal_daemon("STOP")

    def thaw(self) -> None:
        self._signal_daemon("CONT")


def _removed(group: Path) -> bool:
    """A group goes when the last process in it, and in the groups below, has gone."""
    for directory, _, _ in os.walk(group, topdown=False):
        with suppress(OSError):
            Path(directory).rmdir()
    return not group.exists()


@contextmanager
def free_site() -> Iterator[Site]:
    """A site that no other test run has."""
    for number in SITES:
        site = Site(number)
        with site.home.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield site
            return
    raise AssertionError("no site is free")


@contextmanager
def hosts_of(site: Site, count: int) -> Iterator[list[RemoteHost]]:
    """So many hosts, up and plugged in."""
    hosts = [RemoteHost(site, number) for number in range(1, count + 1)]
    _remove(site, hosts)
    try:
        _make(site, hosts)
        yield hosts
    finally:
        _remove(site, hosts)


@contextmanager
def remote_hosts(count: int) -> Iterator[list[RemoteHost]]:
    with free_site() as site, hosts_of(site, count) as hosts:
        yield hosts


def _make(site: Site, hosts: list[RemoteHost]) -> None:
    site.home.mkdir(mode=0o755)
    run("ip", "link", "add", site.bridge, "address", "02:00:0a:d3:00:fe", "type", "bridge")
    run("ip", "address", "add", f"{site.net}.254/24", "dev", site.bridge)
    run("ip", "link", "set", site.bridge, "up")
    authority = Authority.make()
    authority.write(site.home / "pki", "gateway")
    for host in hosts:
        host.prepare(authority)
        host.boot()


def _remove(site: Site, hosts: list[RemoteHost]) -> None:
    for host in hosts:
        host.crash()
    subprocess.run(["ip", "link", "delete", site.bridge], capture_output=True, check=False)
    shutil.rmtree(site.home, ignore_errors=True)
