"""The plans of a Network's and a NetworkPort's jobs."""

from __future__ import annotations

from typing import Any

from gateway.jobs.plan import StepCall
from gateway.store.model import Resource

CREATE_STEPS = ("filter network", "define network", "start network")
DELETE_STEPS = ("leave group", "delete network", "delete filter")
ACTION_STEPS = {"start": ("start network", "reconnect interfaces"), "stop": ("stop network",)}


def create_steps(network: Resource) -> tuple[StepCall, ...]:
    names = CREATE_STEPS if network.internal["initial_state"] == "STARTED" else CREATE_STEPS[:-1]
    joined = [StepCall("join group", {"resource": network.path, "group": group}) for group in groups_of(network)]
    filtered, *rest = calls(network.path, names)
    return (filtered, *joined, *rest)


def groups_of(network: Resource) -> tuple[str, ...]:
    """The ForwardingGroup which it is in: one, or none."""
    group = network.document.get("forwardingGroup")
    return (group["href"],) if group else ()


def calls(resource: str, names: tuple[str, ...], **arguments: Any) -> tuple[StepCall, ...]:
    return tuple(StepCall(name, {"resource": resource, **arguments}) for name in names)


def settle(resource: str, action: str) -> StepCall:
    return StepCall("settle network", {"resource": resource, "action": action})
