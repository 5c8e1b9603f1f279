"""The plans of a Network's and a NetworkPort's jobs."""

from __future__ import annotations

from typing import Any

from gateway.jobs.plan import StepCall

CREATE_STEPS = ("filter network", "define network", "start network")
DELETE_STEPS = ("delete network", "delete filter")
ACTION_STEPS = {"start": ("start network", "reconnect interfaces"), "stop": ("stop network",)}


def calls(resource: str, names: tuple[str, ...], **arguments: Any) -> tuple[StepCall, ...]:
    return tuple(StepCall(name, {"resource": resource, **arguments}) for name in names)


def settle(resource: str, action: str) -> StepCall:
    return StepCall("settle network", {"resource": resource, "action": action})
