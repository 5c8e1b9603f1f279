"""A gateway that kills itself after a step, and is started again."""

from __future__ import annotations

from typing import Any

from tests.cimi_client import Answer, CimiClient
from tests.gateway_process import GatewayProcess

LATER = {"Prefer": "respond-async"}


def killed_after(gateway: GatewayProcess, action: str, step: str, phase: str = "run") -> CimiClient:
    """From now on the gateway kills itself right after this step of this action, or after its undo; a client of it."""
    gateway.crash_after(action, step, phase)
    return gateway.client()


def restarted(gateway: GatewayProcess) -> CimiClient:
    """Wait for its death, and start it; a client of the new one."""
    gateway.wait_killed()
    gateway.start()
    return gateway.client()


def after_restart(gateway: GatewayProcess, answer: Answer, seconds: float = 300) -> dict[str, Any]:
    """The job's end, once the killed gateway runs again."""
    assert answer.status == 202, answer.body
    return restarted(gateway).finish(answer.job, seconds)
