"""Killing ourselves on purpose, so that tests can prove what is promised about crashes. Only for tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

VARIABLE = "CIMI_GATEWAY_CRASH_AFTER"
AfterStep = Callable[[str, str, str], None]


def from_environment() -> AfterStep | None:
    """``<action>:<step>:<run|undo>`` in the variable kills this process with SIGKILL right after that step."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return None

    def after_step(action: str, step: str, phase: str) -> None:
        if wanted == f"{action}:{step}:{phase}":
            os.kill(os.getpid(), signal.SIGKILL)

    return after_step
