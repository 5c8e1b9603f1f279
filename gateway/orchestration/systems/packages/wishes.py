"""The wishes of an importer for a package, and what can be told of the package by its descriptor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.references import resolve
from gateway.orchestration.systems.packages.composing import Composition, guests_of, needed_bytes
from gateway.orchestration.systems.packages.words import CONFIGURATION, LAX, NETWORK, PREFIX
from gateway.ovf.certificate import Certificate
from gateway.ovf.deployment import Group, Guest, deploy
from gateway.ovf.environment import demand_tellable
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.model import Content, Envelope, StartupItem, VirtualSystemCollection
from gateway.store.reading import Reading


@dataclass(frozen=True)
class Wishes:
    """All that the action's properties say: a configuration, values, and Networks for those of the package."""

    name: str | None = None
    configuration: str | None = None
    values: dict[str, str] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)
    """Names of the package's networks, to paths of Networks."""
    lax: bool = False
    """Required parts of the package that are not known here are left out."""

    def deploy(self, envelope: Envelope) -> Guest | Group:
        """Return the guests of a package by these wishes.

        Raises PackageInvalid, also for a network that the package does not have, and for too much that is told.
        """
        stranger = next((name for name in self.networks if name not in [one.name for one in envelope.networks]), None)
        if stranger is not None:
            raise PackageInvalid(f"the package has no network {stranger[:60]!r}")
        deployed = deploy(envelope, self.configuration, self.values, lax=self.lax)
        demand_tellable(deployed)
        return deployed


async def wishes_by(store: Reading, caller: Caller, properties: dict[str, str]) -> Wishes:
    """Return the wishes that an action's properties are. Raises Invalid for a property that is none."""
    lax = _truth(properties.get(LAX, "false"), f"properties.{LAX}")
    values, networks = {}, {}
    for key, value in properties.items():
        where = f"properties.{key[:80]}"
        if key in ("name", CONFIGURATION, LAX):
            continue
        if key.startswith(NETWORK):
            path = "/".join(value.rstrip("/").split("/")[-2:])
            networks[key.removeprefix(NETWORK)] = (await resolve(store, caller, path, ("Network",), where)).path
        elif key.startswith(PREFIX):
            values[key.removeprefix(PREFIX)] = value
        else:
            allowed = f"name, {CONFIGURATION}, {LAX}, {NETWORK}NAME and {PREFIX}PROPERTY are"
            raise Invalid(f"is not known; {allowed}", where)
    return Wishes(properties.get("name"), properties.get(CONFIGURATION), values, networks, lax)


def _truth(text: str, where: str) -> bool:
    if text not in ("true", "false"):
        raise Invalid(f"is {text[:40]!r}; true and false are known", where)
    return text == "true"


def look_over(envelope: Envelope, wishes: Wishes) -> None:
    """Raise PackageInvalid for everything that can be told from the descriptor."""
    deployed = wishes.deploy(envelope)
    images = {one.key: "there" for one in needed_bytes(envelope, deployed)}
    Composition(envelope, deployed, images, wishes.networks).template()


def put_aside(envelope: Envelope, deployed: Guest | Group) -> list[str]:
    """Return what of the package is not obeyed, for people."""
    notes = [note for guest in guests_of(deployed) for note in guest.notes]
    awaited = [item.id for item in _startup(envelope.content) if item.waiting_for_guest]
    waits = [f"waitingForGuest of {name!r} (its startDelay is)" for name in awaited]
    return [*envelope.ignored, *envelope.unsupported, *notes, *waits]


def _startup(content: Content) -> Iterator[StartupItem]:
    if isinstance(content, VirtualSystemCollection):
        yield from content.startup
        for part in content.content:
            yield from _startup(part)


def certified(certificate: Certificate) -> str:
    """Return what a certificate says, for people."""
    holds = "it signs the manifest" if certificate.signs else "it does NOT sign the manifest"
    return (
        f"{certificate.subject}, issued by {certificate.issuer}, SHA-256 {certificate.fingerprint}, "
        f"valid {certificate.not_before} to {certificate.not_after}; {holds}"
    )
