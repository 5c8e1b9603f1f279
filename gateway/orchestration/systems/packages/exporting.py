"""The export of a System or a SystemTemplate: what can be looked at before a Job, and the Job (DSP0263 4.3)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from gateway.cimi.system import PACKAGE
from gateway.errors import Conflict, Invalid
from gateway.jobs.plan import Plan, StepCall
from gateway.orchestration.first_answers import Write
from gateway.orchestration.images.promises import demand_staging
from gateway.orchestration.resources import Room
from gateway.orchestration.service import Caller, Outcome
from gateway.orchestration.systems.packages.asking import asker
from gateway.orchestration.systems.packages.parts import Described, file_name
from gateway.ovf.writing import write_envelope
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

VERB = "export"
WEIGHT = 10
WHERE = "destination"


class PackageExports:
    def __init__(self, room: Room) -> None:
        self.room = room

    async def prepare(
        self, caller: Caller, resource: Resource, described: Described, document: dict[str, Any]
    ) -> Write:
        """Raises what the request deserves. Without a destination the package can be read where the Job is."""
        check_format(document)
        destination = await asyncio.to_thread(self._destination, document.get(WHERE))
        plan = self._plan(caller, resource, described, destination)

        async def write(transaction: Transaction) -> Outcome:
            await demand_staging(self.room, 0)
            job = await self.room.runner.submit(transaction, plan)
            location = f"{job}/package" if destination is None else None
            return Outcome(resource, job, finished=False, location=location)

        return write

    def _destination(self, given: str | None) -> Document | None:
        if given is None:
            return None
        parts = urlsplit(given)
        if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
            words = f"the scheme {parts.scheme[:20]!r} is not accepted; use file:///path/name.ova, or give none"
            raise Invalid(f"{words} and read the package at the answer's Location", WHERE)
        text = unquote(parts.path) if parts.scheme else given
        path = Path(text)
        if not path.is_absolute() or ".." in path.parts or "\0" in text:
            raise Invalid("must be an absolute path without '..'", WHERE)
        allowed = any(
            path.parent.resolve().is_relative_to(Path(directory).resolve())
            for directory in self.room.images.export_directories
        )
        if not allowed:
            raise Invalid("is not below a directory that packages may go to ([images] export_directories)", WHERE)
        if not path.parent.is_dir():
            raise Invalid(f"there is no directory {path.parent}", WHERE)
        if not text.endswith("/") and path.suffix != ".ova":
            raise Invalid("must end in .ova, or in / for a directory of files", WHERE)
        if path.is_dir() and not is_package(path):
            raise Conflict(f"{WHERE}: {path.name} is there, and holds more than one package; choose another name")
        return {"path": str(path), "directory": text.endswith("/")}

    def _plan(self, caller: Caller, resource: Resource, described: Described, destination: Document | None) -> Plan:
        name = file_name(resource.name or resource.path.rpartition("/")[2])
        packing = [
            StepCall("pack disk", {"disk": disk.document(), "last": disk is described.disks[-1]}, WEIGHT)
            for disk in described.disks
        ]
        files = [{"id": disk.id, "name": disk.file} for disk in described.disks]
        descriptor = write_envelope(described.envelope).decode()
        arguments = {"name": name, "descriptor": descriptor, "files": files, "caller": asker(caller)}
        arguments["notes"] = described.notes
        steps = [*packing, StepCall("write package", arguments)]
        if destination is not None:
            steps.append(StepCall("deliver package", destination))
        return Plan(
            action=VERB,
            target=resource.path,
            owner=caller.user,
            steps=tuple(steps),
            locks=tuple(dict.fromkeys(described.locks)),
            settle=StepCall("settle package", {"keep": destination is None}),
            request_id=caller.request_id,
            address=caller.address,
        )


def is_package(directory: Path) -> bool:
    """Whether nothing but the files of one package is in it, or nothing at all: such a one may be replaced."""
    entries = list(directory.iterdir())
    stems = {entry.stem for entry in entries if entry.suffix == ".ovf"}
    if len(stems) != 1 or directory.is_symlink():
        return not entries
    [name] = stems
    ours = {f"{name}.ovf", f"{name}.mf"}
    disk = f"{name}-disk"
    return all(
        entry.is_file() and (entry.name in ours or (entry.name.startswith(disk) and entry.suffix == ".vmdk"))
        for entry in entries
    )


def check_format(document: dict[str, Any]) -> None:
    wanted = (document.get("format") or PACKAGE).partition(";")[0].strip().lower()
    if wanted != PACKAGE:
        raise Invalid(f"{wanted[:60]!r} is not known; {PACKAGE} is", "format")
