"""Killing ourselves on purpose, so that tests can prove what is promised about crashes. Only for tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

VARIABLE = "CIMI_GATEWAY_CRASH_FILE"
AfterStep = Callable[[str, str, str], None]


def from_environment() -> AfterStep | None:
    """Return what kills this process after the step that a file names; None unless a variable names the file.

    When the file is there, and says ``<action>:<step>:<run|undo>``, this process removes it and kills itself with
    SIGKILL right after that step; so the next process goes on.
    """
    if not os.environ.get(VARIABLE):
        return None
    file = Path(os.environ[VARIABLE])

    def after_step(action: str, step: str, phase: str) -> None:
        if file.exists() and file.read_text() == f"{action}:{step}:{phase}":
            file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    return after_step
