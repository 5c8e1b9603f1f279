"""The plans of a Machine's jobs, and what is kept about a Machine beside its document."""

from __future__ import annotations

from typing import Any

from gateway.jobs.plan import StepCall
from gateway.store.model import Document, Resource

CUT = "power off"
"""The step that asks no guest: an action that begins with it waits for none."""
CREATE_STEPS = ("boot disk", "data disks", "seed", "define domain", "initial state")
DELETE_STEPS = (CUT, "drop snapshots", "undefine domain", "withdraw addresses", "delete disks")
WEIGHTS = {"boot disk": 10, "data disks": 2, "suspend domain": 10}

ACTION_STEPS: dict[tuple[str, bool], tuple[str, ...]] = {
    ("start", False): ("start domain",),
    ("stop", False): ("shut down",),
    ("stop", True): (CUT,),
    ("restart", False): ("shut down", "start domain"),
    ("restart", True): (CUT, "start domain"),
    ("pause", False): ("pause domain",),
    ("suspend", False): ("suspend domain",),
}
"""(verb, force) to its steps."""


def uuid_of(machine: Resource) -> str:
    """The domain's UUID is the Machine's id."""
    return machine.path.rpartition("/")[2]


def calls(machine: str, names: tuple[str, ...], **arguments: Any) -> tuple[StepCall, ...]:
    return tuple(StepCall(name, {"resource": machine, **arguments}, WEIGHTS.get(name, 1)) for name in names)


def creation(
    machine: str, volumes: tuple[StepCall, ...], attached: tuple[StepCall, ...], *, addressed: bool
) -> tuple[StepCall, ...]:
    """CREATE_STEPS, with the Volumes made before the domain is defined, and plugged in before it starts.

    Addresses of its own are told to DHCP before the guest asks.
    """
    *storage, define, initial = calls(machine, CREATE_STEPS)
    addresses = calls(machine, ("assign addresses",)) if addressed else ()
    return (*storage, *volumes, *addresses, define, *attached, initial)


def settle(machine: str, action: str) -> StepCall:
    return StepCall("settle machine", {"resource": machine, "action": action})


def disk_prefix(machine: Resource) -> str:
    """What the names of the Machine's own volumes begin with."""
    return f"cimi-{uuid_of(machine)}-"


def disk_volume(machine: Resource, target: str, format: str) -> str:
    return f"{disk_prefix(machine)}{target}.{format}"


def volume_of(machine: Resource, disk: Document) -> str:
    """The volume of one of ``internal["disks"]``; a boot disk made anew has another name than the first one."""
    return disk.get("volume") or disk_volume(machine, disk["target"], disk["format"])


def seed_volume(machine: Resource) -> str:
    return f"{disk_prefix(machine)}seed.iso"
