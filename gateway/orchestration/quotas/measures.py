"""How much a resource takes of each quota: one table for all kinds, from what the store has of the resource."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.cimi.job import FINAL_JOB_STATES
from gateway.orchestration.images.facts import Filling, KeptImage, Route, UploadSource
from gateway.orchestration.machine_core.chain import KINDS as SNAPSHOTS
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.quotas import HOST, HOST_CPU, HOST_MEMORY, PROJECT, USER
from gateway.store.durable import Kept
from gateway.store.model import Resource
from gateway.store.usage import Key

VERSION = 1
"""The number of these measures: it rises with each change of them, and a store is counted anew then."""
KILOBYTE = 1000
RUNNING = frozenset({"STARTING", "STARTED", "PAUSING", "PAUSED", "SUSPENDING", "RESTORING"})
"""States in which a guest has its memory, or is about to get it."""
AS_BEFORE = frozenset({"STOPPING", "CAPTURING", "DELETING"})
"""States in which a guest has its memory if it had it before."""
FREE = frozenset({"stop", "delete"})
"""Actions that no quota keeps from beginning."""
UNWRITTEN = frozenset({"Job", "EventLog", "Event"})
"""Kinds that are no documents of anybody's, though they stand in root collections."""
Amounts = Mapping[str, int]


@dataclass(frozen=True)
class SizedDisk:
    """The size of a disk of a Machine's own, in bytes."""

    bytes: int = 0


@dataclass(frozen=True)
class SizedMachine(Kept):
    """The facts of a Machine that say how much it takes, and of which host."""

    host: str = ""
    disks: tuple[SizedDisk, ...] = ()
    initial_state: str = "STARTED"
    state_before: str | None = None


def _runs(state: str, kept: SizedMachine) -> bool:
    """Return whether memory is promised to a Machine's guest: it has it, or is about to get it."""
    if state == "CREATING":
        return kept.initial_state != "STOPPED"
    return state in RUNNING or (state in AS_BEFORE and kept.state_before in RUNNING)


def _machine(machine: Resource) -> Amounts:
    memory = machine.document.get("memory", 0)
    kept = SizedMachine.of(machine)
    return {
        "machines": 1,
        "cpu": machine.document.get("cpu", 0),
        "memory": memory,
        "running_memory": memory if _runs(machine.document.get("state", ""), kept) else 0,
        "disk_bytes": sum(disk.bytes for disk in kept.disks),
    }


def _staged(resource: Resource) -> Amounts:
    """Return what a resource that is made of bytes takes of the staging directory."""
    filling = Filling.of(resource)
    size = getattr(filling.source, "size", None) or 0
    coming = filling.way is Route.STAGED and resource.document.get("state") in ("CREATING", "ERROR")
    waits = isinstance(filling.source, UploadSource) and resource.held_by is None
    return {"staging_bytes": size if coming else 0, "waiting_uploads": int(waits)}


def _image(image: Resource) -> Amounts:
    if image.document.get("type") in SNAPSHOTS:
        return {"snapshots": 1}
    kept = KeptImage.of(image)
    size = kept.file_size or image.document.get("size") or getattr(kept.source, "size", None) or 0
    return {"images": 1, "image_bytes": size, **_staged(image)}


def _volume(volume: Resource) -> Amounts:
    kept = KeptVolume.of(volume)
    size = kept.bytes or volume.document.get("capacity", 0) * KILOBYTE
    return {"volumes": 1, "volume_bytes": size, "staging_bytes": _staged(volume)["staging_bytes"]}


def _job(job: Resource) -> Amounts:
    """Return 1 for a Job that has not ended; parts of another Job are not counted for themselves."""
    document = job.document
    return {"jobs": int(document["state"] not in FINAL_JOB_STATES and "parentJob" not in document)}


def _one(quota: str) -> Callable[[Resource], Amounts]:
    return lambda _resource: {quota: 1}


MEASURES: Mapping[str, Callable[[Resource], Amounts]] = {
    "Machine": _machine,
    "Volume": _volume,
    "MachineImage": _image,
    "VolumeImage": _image,
    "Network": _one("networks"),
    "Address": _one("addresses"),
    "System": _one("systems"),
    "Meter": _one("meters"),
    "Job": _job,
}


def amounts_of(resource: Resource) -> Counter[Key]:
    """Return how much a resource takes: of the quotas of its project and its maker, and of its host."""
    amounts: Counter[Key] = Counter()
    if resource.parent is not None:
        return amounts
    measure = MEASURES.get(resource.kind)
    own = measure(resource) if measure is not None else {}
    for kind, name in ((PROJECT, resource.project), (USER, resource.maker)):
        if name and resource.project is not None:
            holder = f"{kind}/{name}"
            amounts.update({(holder, quota): number for quota, number in own.items()})
            if resource.kind not in UNWRITTEN:
                amounts.update({(holder, "documents"): 1, (holder, "document_bytes"): resource.size})
    if own.get("running_memory"):
        holder = f"{HOST}/{SizedMachine.of(resource).host}"
        amounts.update({(holder, HOST_MEMORY.name): own["running_memory"], (holder, HOST_CPU.name): own["cpu"]})
    return amounts


def changes_of(before: Resource | None, after: Resource | None) -> Counter[Key]:
    """Return how much more, or less, a resource takes after a change."""
    changes = amounts_of(after) if after is not None else Counter()
    if before is not None:
        changes.subtract(amounts_of(before))
    return Counter({key: number for key, number in changes.items() if number})


def binds(key: Key, before: Resource | None, after: Resource) -> bool:
    """Return whether more of a quota may be refused: neither a stop nor a delete is, though it writes a little more."""
    quota = key[1]
    if quota == "jobs":
        return after.document["action"] not in FREE
    if quota == "document_bytes":
        return before is None or (before.state == after.state and before.held_by == after.held_by)
    return True
