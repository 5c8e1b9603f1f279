"""The Volumes of a new Machine: existing ones to connect, and new ones from templates (DSP0263 5.14.5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.errors import Conflict, Invalid
from gateway.orchestration.attachments.connections import connect, demand_attachable
from gateway.orchestration.attachments.steps import AttachVolume
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.permissions import changeable
from gateway.orchestration.common.references import resolve
from gateway.orchestration.common.resource_service import PlannedStep
from gateway.orchestration.common.room import Room
from gateway.orchestration.common.step import Step
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import free_target, reserved
from gateway.orchestration.volumes.create import NewVolume, Together, VolumeRequest, new_volume
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.orchestration.volumes.plan import create_steps
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

NEW_WEIGHT = 5
"""Times as much that making a Volume counts in the progress of a Machine's create."""


@dataclass
class NewVolumes:
    """The Volumes of a new Machine, which ``write`` writes in the Machine's transaction."""

    existing: list[tuple[str, Document]] = field(default_factory=list)
    """Path of a Volume, and what its MachineVolume says."""
    made: list[tuple[NewVolume, Document]] = field(default_factory=list)

    @classmethod
    async def chosen(cls, room: Room, caller: Caller, template: Document, machine: Resource) -> NewVolumes:
        """Return the Volumes that a MachineTemplate asks for; nothing is written. Raises what the request deserves."""
        volumes, taken = cls(), reserved(machine)
        for place, entry in enumerate(template.get("volumes") or []):
            where = f"machineTemplate.volumes.{place}"
            volume = await _existing(room, caller, entry, machine, where)
            if any(volume.path == path for path, _ in volumes.existing):
                raise Invalid("is named twice", where)
            volumes.existing.append((volume.path, _location(entry, taken, where)))
        for place, entry in enumerate(template.get("volumeTemplates") or []):
            where = f"machineTemplate.volumeTemplates.{place}"
            location = _location(entry, taken, where)
            given = {name: value for name, value in entry.items() if name != "initialLocation"}
            host = KeptMachine.of(machine).host
            request = VolumeRequest(given, {}, where, host)
            volumes.made.append((await new_volume(room, caller, request), location))
        return volumes

    async def write(self, transaction: Transaction, room: Room, machine: Resource) -> tuple[Resource, list[Resource]]:
        """Write the new Volumes and all MachineVolumes; return the Machine with its marks, and the MachineVolumes.

        Raises Conflict when a Volume has gone or was connected elsewhere since it was chosen.
        """
        attachments = []
        for path, document in self.existing:
            volume = await transaction.get(path)
            if volume is None:
                raise Conflict(f"machineTemplate.volumes: {path} is gone")
            demand_attachable(volume, machine, "machineTemplate.volumes")
            attachment, machine = await connect(transaction, machine, volume, *_split(document))
            attachments.append(attachment)
        together = Together()
        for new, document in self.made:
            await new.demand(room, transaction, together)
            volume = await transaction.insert(new.resource)
            attachment, machine = await connect(transaction, machine, volume, *_split(document))
            attachments.append(attachment)
        return machine, attachments

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of all Volumes, the existing ones first."""
        return (*(path for path, _ in self.existing), *self.new_paths)

    @property
    def new_paths(self) -> tuple[str, ...]:
        """The paths of the Volumes that are made with the Machine."""
        return tuple(new.resource.path for new, _ in self.made)

    def create_steps(self) -> tuple[PlannedStep, ...]:
        """Return the steps that make the new Volumes, before the domain is defined."""
        return tuple(step for new, _ in self.made for step in create_steps(new.resource, NEW_WEIGHT))


def attach_steps(attachments: list[Resource]) -> tuple[Step, ...]:
    """Return the steps that plug Volumes into a new Machine, before its domain is started."""
    return tuple(AttachVolume(attachment.path) for attachment in attachments)


async def _existing(room: Room, caller: Caller, entry: Document, machine: Resource, where: str) -> Resource:
    if "href" not in entry:
        raise Invalid("needs the href of a Volume", where)
    volume = await resolve(room.store, caller, entry["href"], ("Volume",), where)
    if not changeable(caller, volume):
        raise Invalid("belongs to somebody else", where)
    host = KeptVolume.of(volume).host
    if host != KeptMachine.of(machine).host:
        raise Invalid(f"is on the hypervisor {host}, and the Machine on another", where)
    demand_attachable(volume, machine, where)
    return volume


def _location(entry: Document, taken: set[str], where: str) -> Document:
    """Return the target, which is taken from now on, and the requested location as it was written."""
    location = entry.get("initialLocation") or None
    target = free_target(taken, location, running=False, where=f"{where}.initialLocation")
    taken.add(target)
    return {"target": target, **({"initialLocation": location} if location else {})}


def _split(document: Document) -> tuple[str, Document]:
    rest = {name: value for name, value in document.items() if name != "target"}
    return document["target"], rest
