"""What all tests need: a libvirt that answers, with a pool and a network."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def libvirt_answers() -> None:
    """Start libvirt's daemons when none answers; one of several test processes does it."""
    lock = ROOT / ".venv" / "setup.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = subprocess.run([ROOT / "tools" / "setup.sh"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
