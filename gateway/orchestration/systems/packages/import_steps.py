"""The steps of an import. Each may be run again after a crash, and leaves nothing behind when it is undone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

from gateway.cimi.registry import type_of
from gateway.orchestration.common.room import Room
from gateway.orchestration.images.facts import KeptImage
from gateway.orchestration.systems.nested import demand_success, service_of, together
from gateway.orchestration.systems.packages.asking import once, take_back
from gateway.orchestration.systems.packages.composing import Composition
from gateway.orchestration.systems.packages.fitting import Fitting, free_macs, generalized, wishes_of
from gateway.orchestration.systems.packages.folder import Folder
from gateway.orchestration.systems.packages.import_step import ImportStep
from gateway.orchestration.systems.packages.notes import ARRIVED, IMAGES, MADE
from gateway.orchestration.systems.packages.step import PackageAt
from gateway.orchestration.systems.packages.wishes import certified, put_aside
from gateway.orchestration.systems.packages.words import CERTIFICATE, IGNORED, SOURCE
from gateway.ovf.deployment import Group, Guest
from gateway.ovf.model import Envelope
from gateway.store.model import Document


@dataclass(frozen=True)
class MakeImported(ImportStep):
    """The step that makes the SystemTemplate, or the System with all its components by its own Job."""

    name = "make imported"

    async def run(self, at: PackageAt) -> None:
        """Make it, or go on with it."""
        kind, job = self.kind, at.job
        document = await self._document(at)
        # After a restart it is not known any more.
        at.room.promises.renew(job.job, wishes_of(document.get("systemTemplate") or {}))
        caller = once(self.caller.caller(job.job), job.job, kind)
        async with job.resting():
            outcome = await service_of(at.room, kind).add(caller, type_of(kind).segment, document)
            works: list[Coroutine[Any, Any, None]] = [demand_success(at.room, outcome.job, kind)]
            await together(job, works, lambda: None)
        assert outcome.resource is not None
        await self._show(at, outcome.resource.path)
        job.say(f"imported as {outcome.resource.path}")

    async def _show(self, at: PackageAt, path: str) -> None:
        """Enter what was made as the Job's affected resource: no answer has named it."""
        async with at.room.store.transaction() as transaction:
            job = await transaction.get(at.job.job)
            if job is not None:
                affected = [*job.document["affectedResources"], {"href": path}]
                unique = list({entry["href"]: entry for entry in affected}.values())
                await transaction.update(job.with_document(affectedResources=unique))

    async def _document(self, at: PackageAt) -> Document:
        """Return the Create document, the same however often it is asked for: it is noted before it is used."""
        folder = at.folder()
        document = await folder.noted(MADE)
        if document is None:
            document = await self._composed(at, folder)
            await folder.note(MADE, document)
        return document

    async def _composed(self, at: PackageAt, folder: Folder) -> Document:
        envelope = await folder.envelope(at.reader())
        deployed = await asyncio.to_thread(self.wishes.deploy, envelope)
        composition = await self._composition(at, folder, envelope, deployed)
        template, notes = await self._fitted(at, composition)
        for note in notes:
            await at.job.log(f"not as in the package: {note}", "warning")
        name, description = template.pop("name"), template.pop("description", None)
        origin = await self._origin(folder, [*put_aside(envelope, deployed), *notes])
        properties = {**template.pop("properties", {}), **origin}
        own: Document = {"name": self.wishes.name or name, "description": description, "properties": properties}
        if self.of_template:
            document = {**own, **template, "importImage": self.source.description()}
        else:
            document = {**own, "systemTemplate": template}
        return {name: value for name, value in document.items() if value is not None}

    async def _composition(
        self, at: PackageAt, folder: Folder, envelope: Envelope, deployed: Guest | Group
    ) -> Composition:
        images = await folder.noted(IMAGES) or {}
        macs_kept = _without_macs(deployed) if self.of_template else await _with_free_macs(at, deployed)
        sizes = await _sizes(at.room, images)
        return Composition(envelope, macs_kept, images, self.wishes.networks, sizes, stopped=not self.of_template)

    async def _fitted(self, at: PackageAt, composition: Composition) -> tuple[Document, list[str]]:
        """Return the template as this host can have it, and what is not as in the package."""
        template = await asyncio.to_thread(composition.template)
        if self.of_template:
            return (generalized(template) if composition.origin == "System" else template), composition.notes
        fitting = Fitting(at.room, at.job.job)
        fitted = await fitting.fit(template)
        for note in fitting.remarks:
            await at.job.log(note)
        return fitted, [*composition.notes, *fitting.notes]

    async def _origin(self, folder: Folder, aside: list[str]) -> dict[str, str]:
        """Return the properties that say where it came from, and what was put aside."""
        arrived = await folder.noted(ARRIVED)
        origin = {SOURCE: self.source.description()}
        if arrived is not None and arrived.certificate is not None:
            origin[CERTIFICATE] = certified(arrived.certificate)
        return {**origin, IGNORED: "; ".join(aside)} if aside else origin

    async def undo(self, at: PackageAt) -> None:
        """Delete what was made."""
        async with at.job.resting():
            await take_back(at.room, at.job, self.caller.caller(at.job.job), frozenset({self.kind}))


async def _with_free_macs(at: PackageAt, deployed: Guest | Group) -> Guest | Group:
    """Return the guests with the addresses that the package wishes for, where no other interface has them."""
    wished = {port.mac for guest in _guests(deployed) for port in guest.ports if port.mac}
    possible = {mac for mac in wished if not int(mac[:2], 16) & 1 and not mac.startswith("fe:")}
    return _without_macs(deployed, wished - await free_macs(at.room, at.job.job, possible))


async def _sizes(room: Room, images: dict[str, str]) -> dict[str, int]:
    """Return the bytes of the disks in the images that are there. ``images`` are paths, by any keys."""
    made = await room.store.get_many(images.values())
    kept = {key: KeptImage.of(made[path]) for key, path in images.items() if path in made}
    return {key: image.virtual_size for key, image in kept.items() if image.virtual_size is not None}


def _guests(deployed: Guest | Group) -> list[Guest]:
    return [deployed] if isinstance(deployed, Guest) else list(deployed.guests())


def _without_macs(deployed: Guest | Group, taken: set[str] | None = None) -> Guest | Group:
    """Return the guests less these MAC addresses, or less all."""
    if isinstance(deployed, Group):
        return replace(deployed, parts=tuple(_without_macs(part, taken) for part in deployed.parts))
    ports = tuple(replace(port, mac="") if taken is None or port.mac in taken else port for port in deployed.ports)
    return replace(deployed, ports=ports)
