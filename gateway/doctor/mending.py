"""Carrying out what findings advise, where that is safe: ``doctor --fix``."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from gateway.doctor.finding import Finding

WAIT_SECONDS = 120


def commands_of(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return the safe commands that findings advise, each once, in their order."""
    wanted = [finding.advice for finding in findings if finding.level != "ok" and finding.fixable]
    return tuple(dict.fromkeys(wanted))


def mend(command: str) -> str:
    """Run a command by the shell, and return why it failed; nothing when it did not."""
    try:
        done = subprocess.run(  # noqa: S603 - made of the configuration's and libvirt's names, quoted
            ["/bin/sh", "-c", command], capture_output=True, text=True, errors="replace", check=False,
            stdin=subprocess.DEVNULL, timeout=WAIT_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"it has not ended after {WAIT_SECONDS} seconds"
    said = " ".join((done.stderr or done.stdout).split())
    return "" if done.returncode == 0 else said or f"exit status {done.returncode}"
