"""A real gateway as its own process, over real libvirt, for the tests that look from outside."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from tests import hypervisor
from tests.cimi_client import CimiClient, wait_until
from tests.forked_gateway import ForkedProcess
from tests.forked_gateway import start as start_fork
from tests.patience import PATIENCE

PASSWORD = "correct horse battery"
USERS = (("admin", "admin"), ("operator", "operator"), ("other", "operator"), ("viewer", "viewer"))
_made_users: list[bytes] = []


PORTS_OF_A_WORKER = 2000


def free_port() -> int:
    """Return a port that nobody takes by chance while the gateway is between two of its lives.

    It is none that clients' connections get, and none of those that tests of another pytest worker choose from.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw7").removeprefix("gw")
    first = 15000 + int(worker) % 8 * PORTS_OF_A_WORKER
    while True:
        port = random.randrange(first, first + PORTS_OF_A_WORKER)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


@dataclass
class GatewayProcess:
    """A private gateway in ``home``; users admin, operator, other and viewer exist, all with PASSWORD."""

    home: Path
    pool: str
    images: Path
    uri: str = "qemu:///system"
    network: str = "default"
    jobs: str = ""
    image_settings: str = ""
    """More lines of [images]."""
    hypervisor: str = ""
    """More keys of the ``[[hypervisor]]``."""
    prefix: int = 24
    """Of the IPv4 ranges that networks get."""
    monitoring: str = ""
    server: str = ""
    """More keys of ``[server]``."""
    port: int = field(default_factory=free_port)
    forked: bool = True
    """Whether it is a fork of a process that has loaded the modules already, which starts sooner."""
    process: subprocess.Popen[bytes] | ForkedProcess | None = None

    @property
    def configuration(self) -> Path:
        return self.home / "gateway.toml"

    @property
    def ranges(self) -> tuple[str, str]:
        """Address pools that no gateway of another test at the same time has."""
        return f"10.{64 + self.port % 64}.{self.port // 64 % 16 * 16}.0/20", f"fd43:{self.port:x}::/48"

    @property
    def crash_file(self) -> Path:
        """Says after which step it is to kill itself."""
        return self.home / "crash"

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/cimi/"

    @property
    def log(self) -> Path:
        return self.home / "gateway.log"

    def prepare(self) -> None:
        """Configuration and users."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.configure()
        users = self.home / "users"
        users.touch(mode=0o600)
        users.write_bytes(self._users_file())

    def _users_file(self) -> bytes:
        """Made by the command once for all gateways of this test process, since hashing takes its time."""
        if not _made_users:
            with tempfile.TemporaryDirectory() as directory:
                first = replace(self, home=Path(directory))
                first.configure()
                for user, role in USERS:
                    first.command("user", "add", user, "--role", role, stdin=PASSWORD + "\n")
                _made_users.append((first.home / "users").read_bytes())
        return _made_users[0]

    def configure(self) -> None:
        self.configuration.write_text(
            f"""
[server]
listen = "127.0.0.1:{self.port}"
{self.server}
[store]
path = "{self.home / "gateway.db"}"
[auth]
users_file = "{self.home / "users"}"
[images]
directories = ["{self.images}"]
{self.image_settings}
[jobs]
{self.jobs}
[monitoring]
{self.monitoring}
[[hypervisor]]
name = "local"
uri = "{self.uri}"
pool = "{self.pool}"
network = "{self.network}"
domain_type = "auto"
{self.hypervisor}
[[hypervisor.bandwidth_classes]]
name = "GOLD"
inbound = 100000
outbound = 50000
[[hypervisor.address_pools]]
range = "{self.ranges[0]}"
prefix = {self.prefix}
[[hypervisor.address_pools]]
range = "{self.ranges[1]}"
prefix = 64
"""
        )

    def command(self, *arguments: str, stdin: str = "") -> str:
        """Run a subcommand of the gateway with this configuration; its output."""
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *arguments, "--config", str(self.configuration)],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def start(self, **environment: str) -> None:
        """Start, and wait until it answers."""
        self.spawn(**environment)
        wait_until(self.answers, 30, f"the gateway answers; its log:\n{self.tail()}")

    def spawn(self, **environment: str) -> None:
        with self.log.open("ab") as output:
            self.process = self._run(
                "gateway",
                ["serve", "--config", str(self.configuration)],
                output,
                {**os.environ, "CIMI_GATEWAY_CRASH_FILE": str(self.crash_file), **environment},
            )

    def _run(
        self, module: str, arguments: list[str], output: BinaryIO, environment: dict[str, str]
    ) -> subprocess.Popen[bytes] | ForkedProcess:
        if self.forked:
            return start_fork(module, arguments, output, environment)
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.Popen(command, stdout=output, stderr=output, env=environment)

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.tail()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=20) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def tail(self, size: int = 4000) -> str:
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""

    def wait_killed(self, seconds: float = PATIENCE) -> None:
        """Wait until the process killed itself with SIGKILL."""
        assert self.process is not None
        code = self.process.wait(timeout=seconds)
        assert code == -signal.SIGKILL, (code, self.tail())
        self.process = None

    def kill(self) -> None:
        """SIGKILL: no chance to clean up."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def clear(self) -> None:
        """Kill it, and take away what its tests left in libvirt.

        Only then: a living gateway defines again what somebody removes behind its back.
        """
        self.kill()
        hypervisor.remove_domains(self.pool)
        for name in hypervisor.networks_in(self.ranges[0]):
            hypervisor.remove_network(name)

    def crash_after(self, action: str, step: str, phase: str = "run") -> None:
        """Make it run so that it kills itself right after this step of this action, or after its undo; once."""
        self.revive()
        whole = self.crash_file.with_suffix(".new")
        whole.write_text(f"{action}:{step}:{phase}")
        whole.rename(self.crash_file)

    def revive(self) -> None:
        """Make it run without a crash to come, whatever a test did to it; one that runs goes on."""
        self.crash_file.unlink(missing_ok=True)
        if self.process is None or self.process.poll() is not None:
            self.process = None
            self.start()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        code = self.process.wait(timeout=PATIENCE)
        self.process = None
        return code

    def client(self, user: str = "admin", format: str = "json") -> CimiClient:
        return CimiClient(self.base, user, PASSWORD, format)

    def seconds_to_answer(self, **environment: str) -> float:
        began = time.monotonic()
        self.start(**environment)
        return time.monotonic() - began
