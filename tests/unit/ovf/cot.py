"""COT, which reads packages by its own rules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COT = Path(sys.executable).parent / "cot"


def cot(*arguments: str | Path) -> str:
    found = subprocess.run([COT, "--force", *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert found.returncode == 0, found.stderr
    return found.stdout + found.stderr
