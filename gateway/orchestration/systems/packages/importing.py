"""The import of a package: what can be looked at before a Job, and the Job (DSP0263 4.3)."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.errors import Invalid
from gateway.jobs.plan import Plan
from gateway.orchestration.common.contract import Asker, Caller, Outcome
from gateway.orchestration.common.first_answers import Request, Write, answer_once
from gateway.orchestration.common.permissions import demand
from gateway.orchestration.common.room import Room
from gateway.orchestration.systems.packages.disk_step import ImportDisks
from gateway.orchestration.systems.packages.import_steps import MakeImported
from gateway.orchestration.systems.packages.settling import SettlePackage
from gateway.orchestration.systems.packages.sources import HEAD, WHERE, PackageSource, Sources
from gateway.orchestration.systems.packages.uploads import PackageUpload
from gateway.orchestration.systems.packages.wishes import Wishes, look_over, wishes_by
from gateway.ovf.package import read_first
from gateway.store.model import Document
from gateway.store.transaction import Transaction

VERB = "import"


def demand_import(caller: Caller, kind: str) -> None:
    """Raise Forbidden unless this caller may import a package as this kind."""
    for verb in (VERB, "add"):
        demand(caller.role, kind, verb)
    demand(caller.role, "MachineImage", "add")


class PackageImports:
    """The imports of packages as Systems or SystemTemplates, by ``kind``."""

    def __init__(self, room: Room, kind: str, collection: str) -> None:
        self.room = room
        self.kind = kind
        self.collection = collection

    async def by_action(self, caller: Caller, document: dict[str, Any]) -> Outcome:
        """Begin the import of the package at ``source``. Raises what the request deserves."""
        demand_import(caller, self.kind)
        location = document.get("source")
        if not location:
            raise Invalid("is missing; or send the package itself, as application/ovf", WHERE)

        async def prepare() -> Write:
            wishes = await wishes_by(self.room.store, caller, document.get("properties") or {})
            source, head = await Sources(self.room.images, caller).look(location)
            await self._check(source, head, wishes)
            return self._write(caller, source, wishes)

        return await answer_once(self.room.store, caller, self._request(document), prepare)

    async def of_upload(self, caller: Caller, upload: PackageUpload, properties: dict[str, str]) -> Outcome:
        """Begin the import of a package that was sent.

        A repeated package is recognised by its sum, and its bytes are dropped.
        """
        demand_import(caller, self.kind)

        async def prepare() -> Write:
            wishes = await wishes_by(self.room.store, caller, properties)
            source, head = await Sources(self.room.images, caller).look_at_upload(upload.path)
            if source.descriptor:
                raise Invalid("a descriptor without its files was sent; send an archive (.ova)", WHERE)
            await upload.to_disk()
            await self._check(source, head, wishes)
            return self._write(caller, source, wishes, upload)

        request = self._request({"properties": properties, "sha256": upload.sha256})
        return await answer_once(self.room.store, caller, request, prepare)

    def _request(self, document: Document) -> Request:
        return Request(self.kind, self.collection, document, VERB)

    async def _check(self, source: PackageSource, head: bytes, wishes: Wishes) -> None:
        # One that goes on behind what was looked at is read by the Job.
        whole = head if len(head) < HEAD else None
        descriptor = whole if source.descriptor else await read_first(head)
        if descriptor is not None:
            envelope = await self.room.images.packages.envelope(descriptor)
            await asyncio.to_thread(look_over, envelope, wishes)

    def _write(
        self, caller: Caller, source: PackageSource, wishes: Wishes, upload: PackageUpload | None = None
    ) -> Write:
        async def write(transaction: Transaction) -> Outcome:
            job = await self.room.runner.submit(transaction, self._plan(caller, source, wishes))
            if upload is not None:
                # Before the commit, with which the Job begins. What no Job has after all, the staging loop removes.
                upload.taken = True
            return Outcome(None, job, finished=False)

        return write

    def _plan(self, caller: Caller, source: PackageSource, wishes: Wishes) -> Plan:
        asker = Asker.of(caller)
        steps = (ImportDisks(source, wishes, self.kind, asker), MakeImported(source, wishes, self.kind, asker))
        return Plan(
            action=VERB,
            target=self.collection,
            project=caller.project,
            user=caller.user,
            steps=tuple(step.call() for step in steps),
            settle=SettlePackage(keep=False, source=source).call(),
            request_id=caller.request_id,
            address=caller.address,
        )
