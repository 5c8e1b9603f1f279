"""Claims of the configuration's entries on a libvirt: of several that lead to the same one, the first serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import libvirt
import structlog
from lxml import etree

from drivers.libvirt.uri import is_system

GiveUp = Callable[[str], None]
log = structlog.get_logger("libvirt")


@dataclass(frozen=True, slots=True)
class HostIdentity:
    """A host's privileged libvirt. Some boards are sold with one UUID for all of them: hence the name beside it."""

    uuid: str
    hostname: str


def identity(handle: libvirt.virConnect, uri: str) -> HostIdentity | None:
    """Return the host behind a connection; None for users' sessions, of which a host has many."""
    if not is_system(uri):
        return None
    uuid = etree.fromstring(handle.getCapabilities()).findtext("host/uuid") or ""
    return HostIdentity(uuid, handle.getHostname())


@dataclass(frozen=True, slots=True)
class _Claim:
    name: str
    give_up: GiveUp


class HostClaims:
    """The claims of one gateway's entries. An entry keeps its host while it is away, so that no other shows it then."""

    def __init__(self, names: Iterable[str]) -> None:
        self._places = {name: place for place, name in enumerate(names)}
        self._held: dict[HostIdentity, _Claim] = {}
        self._told: set[tuple[str, str]] = set()

    def take(self, name: str, host: HostIdentity, give_up: GiveUp) -> str:
        """Claim a host for the entry ``name``; return the name of the earlier entry that has it, else nothing.

        A later entry that has it is told by its ``give_up`` to leave it, with the name of this one.
        """
        held = self._held.get(host)
        if held is not None and self._places[held.name] < self._places[name]:
            self._tell(held.name, name)
            return held.name
        self._held = {other: claim for other, claim in self._held.items() if claim.name != name}
        self._held[host] = _Claim(name, give_up)
        if held is not None and held.name != name:
            self._tell(name, held.name)
            held.give_up(name)
        return ""

    def _tell(self, served: str, refused: str) -> None:
        """Log the two entries once, however often the refused one tries again."""
        if (served, refused) not in self._told:
            self._told.add((served, refused))
            log.error("two entries lead to one libvirt", served=served, refused=refused)


def refusal(twin: str) -> str:
    """Return the reason why an entry is not served beside ``twin``, for people."""
    return f"it leads to the same libvirt as the hypervisor {twin}, and only that one is served; remove one of them"
