"""The export of a System or a SystemTemplate: what can be looked at before a Job, and the Job (DSP0263 4.3)."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.cimi.system import PACKAGE
from gateway.errors import Invalid
from gateway.jobs.plan import Plan
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.exports import Exports
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.room import Room
from gateway.orchestration.images.promises import demand_staging
from gateway.orchestration.systems.packages.destinations import REPLACE, WHERE, Destination, destination_of
from gateway.orchestration.systems.packages.export_steps import DeliverPackage, PackDisk, PackedFile, WritePackage
from gateway.orchestration.systems.packages.parts import Described, file_name
from gateway.orchestration.systems.packages.settling import SettlePackage
from gateway.orchestration.systems.packages.step import PackageStep
from gateway.ovf.writing import write_envelope
from gateway.store.model import Resource
from gateway.store.transaction import Transaction

VERB = "export"


class PackageExports:
    """The exports of resources as packages, by their Jobs."""

    def __init__(self, room: Room) -> None:
        self.room = room

    async def prepare(
        self, caller: Caller, resource: Resource, described: Described, document: dict[str, Any]
    ) -> Write:
        """Return what begins the Job. Raises what the request deserves.

        Without a destination the package can be read where the Job is.
        """
        check_format(document)
        destination = await self._destination(caller, document)
        plan = self._plan(caller, resource, described, destination)

        async def write(transaction: Transaction) -> Outcome:
            await demand_staging(self.room, 0)
            job = await self.room.runner.submit(transaction, plan)
            location = f"{job}/package" if destination is None else None
            return Outcome(resource, job, finished=False, location=location)

        return write

    async def _destination(self, caller: Caller, document: dict[str, Any]) -> Destination | None:
        given, properties = document.get(WHERE), document.get("properties") or {}
        replace = properties.get(REPLACE, "false")
        if replace not in ("true", "false"):
            raise Invalid(f"must be true or false, not {str(replace)[:40]!r}", f"properties.{REPLACE}")
        if given is None:
            return None
        exports = Exports(self.room.images.export_directories)
        return await asyncio.to_thread(destination_of, exports, caller, given, replace=replace == "true")

    def _plan(self, caller: Caller, resource: Resource, described: Described, destination: Destination | None) -> Plan:
        last = len(described.disks) - 1
        steps: list[PackageStep] = [PackDisk(disk, place == last) for place, disk in enumerate(described.disks)]
        steps.append(
            WritePackage(
                descriptor=write_envelope(described.envelope).decode(),
                files=tuple(PackedFile(disk.id, disk.file) for disk in described.disks),
                notes=tuple(described.notes),
                package=file_name(resource.name or resource.path.rpartition("/")[2]),
            )
        )
        if destination is not None:
            steps.append(DeliverPackage(str(destination.path), destination.directory, destination.replace))
        return Plan(
            action=VERB,
            target=resource.path,
            project=caller.project,
            user=caller.user,
            steps=tuple(step.call() for step in steps),
            locks=tuple(dict.fromkeys(described.locks)),
            settle=SettlePackage(keep=destination is None).call(),
            request_id=caller.request_id,
            address=caller.address,
        )


def check_format(document: dict[str, Any]) -> None:
    """Raise Invalid for a format that packages are not written in."""
    wanted = (document.get("format") or PACKAGE).partition(";")[0].strip().lower()
    if wanted != PACKAGE:
        raise Invalid(f"{wanted[:60]!r} is not known; {PACKAGE} is", "format")
