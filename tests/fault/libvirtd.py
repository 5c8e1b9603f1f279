"""The host's libvirtd: stopped, started, and whether the gateway has it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from tests.cimi_client import wait_until
from tests.gateway_process import GatewayProcess

PID_FILE = Path("/run/libvirtd.pid")
SETUP = Path(__file__).resolve().parents[2] / "tools" / "setup.sh"


def daemon() -> int:
    return int(PID_FILE.read_text())


def stop_libvirtd() -> None:
    pid = daemon()
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not PID_FILE.exists() or not running(pid), 20, "libvirtd stops")


def running(pid: int) -> bool:
    try:
        return "libvirtd" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def start_libvirtd() -> None:
    """The one before may not have let go of its pidfile yet, though it is gone."""
    wait_until(lambda: subprocess.run(["libvirtd", "-d"], check=False).returncode == 0, 30, "libvirtd starts")
    subprocess.run([SETUP], check=True, capture_output=True)


def ready(gateway: GatewayProcess) -> bool:
    answer = gateway.client().request("GET", f"http://127.0.0.1:{gateway.port}/health/ready")
    return answer.status == 200
