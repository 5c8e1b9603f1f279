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
    """The id at the end of an image's path; the hypervisor's snapshot has it as its name."""
    return image.rpartition("/")[2]


def href(resource: Resource, attribute: str) -> str | None:
    found: Document = resource.document.get(attribute) or {}
    return found.get("href")


def reference(path: str | None) -> Document | None:
    return {"href": path} if path is not None else None


async def members(transaction: Transaction, machine: str) -> list[Resource]:
    """The SNAPSHOT images in the Machine's ``snapshots``, oldest first."""
    found = []
    for entry in await transaction.children(machine, "MachineSnapshot"):
        image = await transaction.get(entry.document["snapshot"]["href"])
        if image is not None:
            found.append(image)
    return found


async def demand_uncovered(transaction: Transaction, machine: str, target: str) -> None:
    """Raises Conflict when a snapshot holds what this disk was: out of the Machine it could not go back."""
    for image in await members(transaction, machine):
        if target in KeptSnapshot.of(image).covered.disks:
            raise Conflict(f"{image.path} is a snapshot of this disk too; delete it first")


def falling_with(image: Resource, chain: list[Resource]) -> list[Resource]:
    """The image and the PARTIAL_SNAPSHOTs that build on it, those on top first (DSP0263 5.14.7.3)."""
    found: list[Resource] = []
    for other in chain:
        if other.document["type"] == PARTIAL and href(other, "relatedImage") == image.path:
            found.extend(falling_with(other, chain))
    return [*found, image]


async def enter(transaction: Transaction, machine: Resource, image: Resource) -> None:
    """Put the image into the Machine's ``snapshots``."""
    document = {"name": image.name, "snapshot": reference(image.path)}
    known = {name: value for name, value in document.items() if value is not None}
    now = clock.now()
    entry = component(machine, "MachineSnapshot", f"snapshots/{id_of(image.path)}", known)
    await transaction.insert(replace(entry, created=now, updated=now))


async def link(transaction: Transaction, machine: Resource, image: Resource) -> Resource:
    """The finished image joins the chain behind the latest one. The Machine, which is still to be written."""
    related = reference(href(machine, "latestSnapshot"))
    await enter(transaction, machine, image)
    finished = image.with_document(state="AVAILABLE", relatedImage=related, imageLocation=image.path)
    await transaction.update(finished.released())
    return machine.with_document(latestSnapshot=reference(image.path))


async def unlink(transaction: Transaction, machine: Resource, image: Resource) -> Resource:
    """The image goes; what came after it follows what came before. The Machine, which is still to be written."""
    before = reference(href(image, "relatedImage"))
    for other in await members(transaction, machine.path):
        if href(other, "relatedImage") == image.path:
            await transaction.update(other.with_document(relatedImage=before))
    await transaction.delete(f"{machine.path}/snapshots/{id_of(image.path)}")
    await transaction.delete(image.path)
    latest = href(machine, "latestSnapshot")
    return machine.with_document(latestSnapshot=before) if latest == image.path else machine
