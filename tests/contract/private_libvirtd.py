"""A libvirtd of our own, in session mode as an unprivileged user: to be stopped, restarted and frozen."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.cimi_client import wait_until

USER = "nobody"


@dataclass
class PrivateLibvirtd:
    home: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="lv", dir="/var/tmp")))
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.home / "run" / "libvirt" / "libvirt-sock"

    @property
    def uri(self) -> str:
        return f"qemu+unix:///session?socket={self.socket}"

    def start(self) -> None:
        (self.home / "run").mkdir(exist_ok=True)
        for path in (self.home, self.home / "run"):
            shutil.chown(path, USER)
            path.chmod(0o700)
        command = ["setpriv", f"--reuid={USER}", "--regid=nogroup", "--clear-groups", "libvirtd"]
        environment = {**os.environ, "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home / "run")}
        for name in ("CONFIG", "CACHE", "DATA", "STATE"):
            environment.pop(f"XDG_{name}_HOME", None)
        with (self.home.parent / f"{self.home.name}.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, cwd="/", stdout=log, stderr=log)
        wait_until(self.socket.exists, 20, "the private libvirtd listens")

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(timeout=20)
            self.process = None

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
        (self.home.parent / f"{self.home.name}.log").unlink(missing_ok=True)
