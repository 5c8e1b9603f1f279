"""The import of a package: what can be looked at before a Job, and the Job (DSP0263 4.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.errors import Invalid
from gateway.jobs.plan import Plan, StepCall
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Request, Write, answer_once
from gateway.orchestration.common.permissions import demand
from gateway.orchestration.common.resolving import resolve
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.systems.packages.asking import asker
from gateway.orchestration.systems.packages.composing import Composition, guests_of, needed_bytes
from gateway.orchestration.systems.packages.sources import HEAD, WHERE, Source, Sources
from gateway.orchestration.systems.packages.uploads import PackageUpload
from gateway.orchestration.systems.packages.words import CONFIGURATION, LAX, NETWORK, PREFIX
from gateway.ovf.certificate import Certificate
from gateway.ovf.deployment import Group, Guest, deploy
from gateway.ovf.environment import demand_tellable
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.model import Content, Envelope, StartupItem, VirtualSystemCollection
from gateway.ovf.package import read_first
from gateway.store.model import Document
from gateway.store.transaction import Transaction

VERB = "import"
STEPS = ("import disks", "make imported")
WEIGHTS = {"import disks": 10}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the action's properties say: a configuration, values, and Networks for those of the package."""

    name: str | None = None
    configuration: str | None = None
    values: dict[str, str] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)
    lax: bool = False
    """Required parts of the package that are not known here are left out."""

    def document(self) -> Document:
        return asdict(self)

    def deploy(self, envelope: Envelope) -> Guest | Group:
        """Raises PackageInvalid, also for a network that the package does not have, and for too much that is told."""
        stranger = next((name for name in self.networks if name not in [one.name for one in envelope.networks]), None)
        if stranger is not None:
            raise PackageInvalid(f"the package has no network {stranger[:60]!r}")
        deployed = deploy(envelope, self.configuration, self.values, lax=self.lax)
        demand_tellable(deployed)
        return deployed


def look_over(envelope: Envelope, wishes: Wishes) -> None:
    """Raises PackageInvalid for everything that can be told from the descriptor."""
    deployed = wishes.deploy(envelope)
    images = {one.key: "there" for one in needed_bytes(envelope, deployed)}
    Composition(envelope, deployed, images, wishes.networks).template()


def told_aside(envelope: Envelope, deployed: Guest | Group) -> list[str]:
    """What of the package is not obeyed, for people."""
    notes = [note for guest in guests_of(deployed) for note in guest.notes]
    awaited = [item.id for item in _startup(envelope.content) if item.waiting_for_guest]
    waits = [f"waitingForGuest of {name!r} (its startDelay is)" for name in awaited]
    return [*envelope.ignored, *envelope.unsupported, *notes, *waits]


def _truth(text: str, where: str) -> bool:
    if text not in ("true", "false"):
        raise Invalid(f"is {text[:40]!r}; true and false are known", where)
    return text == "true"


def certified(certificate: Certificate) -> str:
    """For people."""
    holds = "it signs the manifest" if certificate.signs else "it does NOT sign the manifest"
    return (
        f"{certificate.subject}, issued by {certificate.issuer}, SHA-256 {certificate.fingerprint}, "
        f"valid {certificate.not_before} to {certificate.not_after}; {holds}"
    )


def _startup(content: Content) -> Iterator[StartupItem]:
    if isinstance(content, VirtualSystemCollection):
        yield from content.startup
        for part in content.content:
            yield from _startup(part)


def demand_import(caller: Caller, kind: str) -> None:
    for verb in (VERB, "add"):
        demand(caller.role, kind, verb)
    demand(caller.role, "MachineImage", "add")


class PackageImports:
    """For Systems or SystemTemplates, by ``kind``."""

    def __init__(self, room: Room, kind: str, collection: str) -> None:
        self.room = room
        self.kind = kind
        self.collection = collection

    async def by_action(self, caller: Caller, document: dict[str, Any]) -> Outcome:
        """The package at ``source``. Raises what the request deserves."""
        demand_import(caller, self.kind)
        location = document.get("source")
        if not location:
            raise Invalid("is missing; or send the package itself, as application/ovf", WHERE)

        async def prepare() -> Write:
            wishes = await self._wishes(caller, document.get("properties") or {})
            source, head = await Sources(self.room.images, caller).look(location)
            return await self._checked(caller, source, head, wishes)

        return await answer_once(self.room.store, caller, self._request(document), prepare)

    async def of_upload(self, caller: Caller, upload: PackageUpload, properties: dict[str, str]) -> Outcome:
        """A package that was sent. By its sum a repeated one is known for the same, whose bytes are dropped."""
        demand_import(caller, self.kind)

        async def prepare() -> Write:
            wishes = await self._wishes(caller, properties)
            source, head = await Sources(self.room.images, caller).look_at_file(upload.path, "upload")
            if source["descriptor"]:
                raise Invalid("a descriptor without its files was sent; send an archive (.ova)", WHERE)
            await upload.to_disk()
            return await self._checked(caller, source, head, wishes, upload)

        request = self._request({"properties": properties, "sha256": upload.sha256})
        return await answer_once(self.room.store, caller, request, prepare)

    def _request(self, document: Document) -> Request:
        return Request(self.kind, self.collection, document, VERB)

    async def _wishes(self, caller: Caller, properties: dict[str, str]) -> Wishes:
        lax = _truth(properties.get(LAX, "false"), f"properties.{LAX}")
        wishes = Wishes(properties.get("name"), properties.get(CONFIGURATION), lax=lax)
        for key, value in properties.items():
            where = f"properties.{key[:80]}"
            if key in ("name", CONFIGURATION, LAX):
                continue
            if key.startswith(NETWORK):
                path = "/".join(value.rstrip("/").split("/")[-2:])
                wishes.networks[key.removeprefix(NETWORK)] = (
                    await resolve(self.room.store, caller, path, ("Network",), where)
                ).path
            elif key.startswith(PREFIX):
                wishes.values[key.removeprefix(PREFIX)] = value
            else:
                known = f"name, {CONFIGURATION}, {LAX}, {NETWORK}NAME and {PREFIX}PROPERTY are"
                raise Invalid(f"is not known; {known}", where)
        return wishes

    async def _checked(
        self,
        caller: Caller,
        source: Source,
        head: bytes,
        wishes: Wishes,
        upload: PackageUpload | None = None,
    ) -> Write:
        # One that goes on behind what was looked at is read by the Job.
        whole = head if len(head) < HEAD else None
        descriptor = whole if source["descriptor"] else await read_first(head)
        if descriptor is not None:
            envelope = await self.room.images.packages.envelope(descriptor)
            await asyncio.to_thread(look_over, envelope, wishes)

        async def write(transaction: Transaction) -> Outcome:
            job = await self.room.runner.submit(transaction, self._plan(caller, source, wishes))
            if upload is not None:
                # Before the commit, with which the Job begins. What no Job has after all, the staging keeper removes.
                upload.taken = True
            return Outcome(None, job, finished=False)

        return write

    def _plan(self, caller: Caller, source: Source, wishes: Wishes) -> Plan:
        arguments = {"source": source, "wishes": wishes.document(), "kind": self.kind, "caller": asker(caller)}
        return Plan(
            action=VERB,
            target=self.collection,
            owner=caller.user,
            steps=tuple(StepCall(name, arguments, WEIGHTS.get(name, 1)) for name in STEPS),
            settle=StepCall("settle package", {"source": source, "keep": False}),
            request_id=caller.request_id,
            address=caller.address,
        )
