"""The steps of an import. Each may be run again after a crash, and leaves nothing behind when it is undone."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.cimi.registry import type_of
from gateway.jobs.plan import Ended, StepContext
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.images.source import shown
from gateway.orchestration.systems.nested import caller_of, service_of, together
from gateway.orchestration.systems.packages.asking import once, succeeded, take_back
from gateway.orchestration.systems.packages.composing import Composition
from gateway.orchestration.systems.packages.fitting import Fitting, free_macs, generalized, wishes_of
from gateway.orchestration.systems.packages.folder import PACKAGE, Folder
from gateway.orchestration.systems.packages.importing import Wishes, certified, told_aside
from gateway.orchestration.systems.packages.step import IMAGES, Arguments, PackageStep
from gateway.orchestration.systems.packages.words import CERTIFICATE, IGNORED, SOURCE
from gateway.ovf.certificate import Certificate
from gateway.ovf.deployment import Group, Guest
from gateway.store.model import Document


class MakeImported(PackageStep):
    """The SystemTemplate, or the System with all its components by its own Job."""

    name = "make imported"

    async def run(self, context: StepContext, arguments: Arguments) -> None:
        kind = arguments["kind"]
        document = await self._document(context, arguments)
        # After a restart it is not known any more.
        self.room.promised[context.job] = set(wishes_of(document.get("systemTemplate") or {}))
        caller = once(caller_of(arguments, context.job), context.job, kind)
        async with context.resting():
            outcome = await service_of(self.room, kind).add(caller, type_of(kind).segment, document)
            works: list[Coroutine[Any, Any, None]] = [succeeded(self.room, outcome.job, kind)]
            await together(context, works, lambda: None)
        assert outcome.resource is not None
        await self._show(context, outcome.resource.path)
        context.say(f"imported as {outcome.resource.path}")

    async def _show(self, context: StepContext, path: str) -> None:
        """What was made is the Job's affected resource: no answer has named it."""
        async with self.room.store.transaction() as transaction:
            job = await transaction.get(context.job)
            if job is not None:
                affected = [*job.document["affectedResources"], {"href": path}]
                unique = list({entry["href"]: entry for entry in affected}.values())
                await transaction.update(job.with_document(affectedResources=unique))

    async def _document(self, context: StepContext, arguments: Arguments) -> Document:
        """The same however often it is asked for: it is noted before it is used."""
        folder = self.folder(context)
        known: Document | None = await folder.noted("made.json")
        if known is None:
            known = await self._composed(context, folder, arguments)
            await folder.note("made.json", known)
        return known

    async def _composed(self, context: StepContext, folder: Folder, arguments: Arguments) -> Document:
        wishes, envelope = Wishes(**arguments["wishes"]), await folder.envelope(self.reader(context))
        deployed = await asyncio.to_thread(wishes.deploy, envelope)
        images: dict[str, str] = await folder.noted(IMAGES)
        of_template = arguments["kind"] == "SystemTemplate"
        kept = await self._with_free_macs(context, deployed) if not of_template else _without_macs(deployed)
        made = await self.room.store.get_many(images.values())
        sizes = {key: made[path].internal["virtual_size"] for key, path in images.items() if path in made}
        composition = Composition(envelope, kept, images, wishes.networks, sizes, stopped=not of_template)
        template, notes = await self._fitting(context, composition, of_template)
        for note in notes:
            await context.log(f"not as in the package: {note}", "warning")
        own: Document = {"name": wishes.name or template.pop("name"), "description": template.pop("description", None)}
        template.pop("name", None)
        aside = [*told_aside(envelope, deployed), *notes]
        found = {**template.pop("properties", {}), **await self._found(folder, aside, arguments)}
        named = {**own, "properties": found}
        document = {**named, **template} if of_template else {**named, "systemTemplate": template}
        if of_template:
            document["importImage"] = _shown_source(arguments)
        return {name: value for name, value in document.items() if value is not None}

    async def _fitting(
        self, context: StepContext, composition: Composition, of_template: bool
    ) -> tuple[Document, list[str]]:
        """The template as this host can have it, and what is not as in the package."""
        template = await asyncio.to_thread(composition.template)
        if of_template:
            return (generalized(template) if composition.origin == "System" else template), composition.notes
        fitting = Fitting(self.room, context.job)
        fitted = await fitting.fit(template)
        for note in fitting.remarks:
            await context.log(note)
        return fitted, [*composition.notes, *fitting.notes]

    async def _found(self, folder: Folder, aside: list[str], arguments: Arguments) -> dict[str, str]:
        facts = await folder.noted(PACKAGE)
        found = {SOURCE: _shown_source(arguments)}
        if facts["certificate"] is not None:
            found[CERTIFICATE] = certified(Certificate(**facts["certificate"]))
        return {**found, IGNORED: "; ".join(aside)} if aside else found

    async def _with_free_macs(self, context: StepContext, deployed: Guest | Group) -> Guest | Group:
        """Addresses that the package wishes for, where no other interface has them."""
        wished = {port.mac for guest in _guests(deployed) for port in guest.ports if port.mac}
        possible = {mac for mac in wished if not int(mac[:2], 16) & 1 and not mac.startswith("fe:")}
        return _without_macs(deployed, wished - await free_macs(self.room, context.job, possible))

    async def undo(self, context: StepContext, arguments: Arguments) -> None:
        caller = caller_of(arguments, context.job)
        async with context.resting():
            await take_back(self.room, context, caller, frozenset({arguments["kind"]}))


def _guests(deployed: Guest | Group) -> list[Guest]:
    return [deployed] if isinstance(deployed, Guest) else list(deployed.guests())


def _without_macs(deployed: Guest | Group, taken: set[str] | None = None) -> Guest | Group:
    """Less these addresses, or less all."""
    if isinstance(deployed, Group):
        return replace(deployed, parts=tuple(_without_macs(part, taken) for part in deployed.parts))
    ports = tuple(replace(port, mac="") if taken is None or port.mac in taken else port for port in deployed.ports)
    return replace(deployed, ports=ports)


def _shown_source(arguments: Arguments) -> str:
    source = arguments["source"]
    if source["kind"] == "upload":
        return "upload"
    place = shown(source["place"])
    return place if source["kind"] == "url" else f"file://{place}"


class SettlePackage:
    """Nothing stays in the staging directory but a package that waits for its download."""

    name = "settle package"

    def __init__(self, room: Room) -> None:
        self.room = room

    async def run(self, context: StepContext, arguments: Arguments) -> None:
        self.room.promised.pop(context.job, None)
        async with self.room.store.transaction() as transaction:
            # On disk, so that no power cut brings the job back to a step that needs what goes now.
            await transaction.write_log(context.job, "info", self.name, "what the job put down is removed")
        if not (arguments["keep"] and arguments["succeeded"]):
            folder = Folder(self.room.images.staging, context.job)
            await asyncio.to_thread(shutil.rmtree, folder.path, True)
        source = arguments.get("source")
        if source is not None and source["kind"] == "upload":
            await asyncio.to_thread(shutil.rmtree, Path(source["place"]).parent, True)

    async def undo(self, context: StepContext, arguments: Arguments) -> None:
        """It is never undone."""

    async def settle(self, context: StepContext, arguments: Arguments, ended: Ended) -> None:
        """Settle as ``run`` does, which is told how the plan ended among its arguments."""
        await self.run(context, {**arguments, "succeeded": ended.succeeded, "left": ended.left})
