"""The SNAPSHOT images of a Machine as a chain: snapshots, latestSnapshot, relatedImage (DSP0263 5.14.7.1, 5.14.7.3)."""

from __future__ import annotations

from dataclasses import replace

from gateway import clock
from gateway.errors import Conflict
from gateway.orchestration.common.resource_service import component
from gateway.orchestration.machine_core.facts import KeptSnapshot
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

PARTIAL = "PARTIAL_SNAPSHOT"
KINDS = frozenset({"SNAPSHOT", PARTIAL})


def id_of(image: str) -> str:
    """Return the id at the end of an image's path, which is the name of the hypervisor's snapshot."""
    return image.rpartition("/")[2]


def href(resource: Resource, attribute: str) -> str | None:
    """Return the path that the resource's attribute refers to; None without a reference."""
    value: Document = resource.document.get(attribute) or {}
    return value.get("href")


def reference(path: str | None) -> Document | None:
    """Return a reference to the path; None, which removes an attribute, for None."""
    return {"href": path} if path is not None else None


async def members(transaction: Transaction, machine: str) -> list[Resource]:
    """Return the SNAPSHOT images in the Machine's ``snapshots``, oldest first; ``machine`` is its path."""
    images = []
    for entry in await transaction.children(machine, "MachineSnapshot"):
        image = await transaction.get(entry.document["snapshot"]["href"])
        if image is not None:
            images.append(image)
    return images


async def demand_uncovered(transaction: Transaction, machine: str, target: str) -> None:
    """Raise Conflict when a snapshot holds the disk at this target, since the Machine could not go back without it."""
    for image in await members(transaction, machine):
        if target in KeptSnapshot.of(image).covered.disks:
            raise Conflict(f"{image.path} is a snapshot of this disk too; delete it first")


def falling_with(image: Resource, chain: list[Resource]) -> list[Resource]:
    """Return the image and the PARTIAL_SNAPSHOTs that build on it, those on top first (DSP0263 5.14.7.3)."""
    falling: list[Resource] = []
    for other in chain:
        if other.document["type"] == PARTIAL and href(other, "relatedImage") == image.path:
            falling.extend(falling_with(other, chain))
    return [*falling, image]


async def enter(transaction: Transaction, machine: Resource, image: Resource) -> None:
    """Put the image into the Machine's ``snapshots``."""
    document = {"name": image.name, "snapshot": reference(image.path)}
    attributes = {name: value for name, value in document.items() if value is not None}
    now = clock.now()
    entry = component(machine, "MachineSnapshot", f"snapshots/{id_of(image.path)}", attributes)
    await transaction.insert(replace(entry, created=now, updated=now))


async def link(transaction: Transaction, machine: Resource, image: Resource) -> Resource:
    """Put the finished image into the chain, behind the latest one.

    Return the Machine, which is still to be written.
    """
    related = reference(href(machine, "latestSnapshot"))
    await enter(transaction, machine, image)
    finished = image.with_document(state="AVAILABLE", relatedImage=related, imageLocation=image.path)
    await transaction.update(finished.released())
    return machine.with_document(latestSnapshot=reference(image.path))


async def unlink(transaction: Transaction, machine: Resource, image: Resource) -> Resource:
    """Delete the image, so that what came after it follows what came before.

    Return the Machine, which is still to be written.
    """
    before = reference(href(image, "relatedImage"))
    for other in await members(transaction, machine.path):
        if href(other, "relatedImage") == image.path:
            await transaction.update(other.with_document(relatedImage=before))
    await transaction.delete(f"{machine.path}/snapshots/{id_of(image.path)}")
    await transaction.delete(image.path)
    latest = href(machine, "latestSnapshot")
    return machine.with_document(latestSnapshot=before) if latest == image.path else machine
