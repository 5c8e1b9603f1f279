"""The environment with the neighbours' programs, as ``requirements/contrib.txt`` locks them."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.place import ROOT

Run = Callable[..., str]
SECONDS = 300


def installed_programs() -> Path:
    """Install the programs where they are missing, and return their folder."""
    with (ROOT / ".venv" / "contrib.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = subprocess.run([ROOT / "tools" / "contrib.sh"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ROOT / ".venv-contrib" / "bin"
