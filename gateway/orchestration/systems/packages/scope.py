"""The meaning of one collection's carried references in the template that is made of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from gateway.cimi.edge import SYMBOL
from gateway.cimi.fields import Attribute
from gateway.errors import Invalid
from gateway.orchestration.common.names import checked_hostname, checked_mac
from gateway.orchestration.networks.address_ranges import parse_ip
from gateway.orchestration.systems.blueprint import DESCRIBED, KINDS
from gateway.orchestration.systems.packages.carrying import Carried
from gateway.orchestration.systems.symbols import placed, references, without
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.names import TEMPLATE_SECTION
from gateway.store.model import Document


class Names:
    """The names of the components of one template: each is given once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, wanted: str) -> str:
        """Return the name, with a number where it is taken."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted} ({number})"
        self._taken.add(name)
        return name


class Scope:
    """The meaning of carried references in one collection. ``notes`` are what cannot be had, for people."""

    def __init__(self, carried: Carried, notes: list[str]) -> None:
        self.carried = carried
        self.notes = notes
        self._hrefs: dict[tuple[str, str], str | None] = {}

    def enter(self, kind: str, name: str, href: str | None) -> None:
        """Enter what references to a component become. ``href`` None: they are left out, and so is it."""
        self._hrefs[kind, name] = href

    def take_names(self, names: Names) -> None:
        """Take the names of the components that only the carried template describes."""
        for kind, name, descriptor in self.carried.made():
            if kind == "Credential" and not descriptor[KINDS[kind]].get("key"):
                words = "packages hold no passwords, and it has no key"
                self.notes.append(f"Credential {name[:60]!r} of {self.carried.who}: {words}")
                self.enter(kind, name, None)
            else:
                self.enter(kind, name, f"{SYMBOL}{names.take(descriptor['name'])}" if "name" in descriptor else "")

    def descriptors(self) -> Iterator[Document]:
        """Yield the descriptors of those components."""
        for kind, name, descriptor in self.carried.made():
            href = self._hrefs[kind, name]
            if href is None:
                continue
            attribute, who = KINDS[kind], f"{kind} {name[:60]!r} of {self.carried.who}"
            check_texts(descriptor[attribute], who)
            template = self.placed(DESCRIBED[attribute], without_secrets(kind, descriptor[attribute]), who)
            named = {"name": href.removeprefix(SYMBOL)} if href else {}
            yield {**descriptor, **named, attribute: template}

    def placed(self, field: Attribute, value: Any, who: str) -> Any:
        """Return a value with each reference as the new template has it.

        Raises PackageInvalid for a reference that leads nowhere.
        """
        hrefs = {
            reference.way: self._href(reference.kind, reference.href, who)
            for reference in references(field, value, ("value",))
        }
        there = {way: href for way, href in hrefs.items() if href is not None}
        gone = [way for way, href in hrefs.items() if href is None]
        return without(placed({"value": value}, there), gone).get("value")

    def _href(self, kind: str, reference: str, who: str) -> str | None:
        name = reference.removeprefix(SYMBOL)
        if (kind, name) not in self._hrefs:
            raise PackageInvalid(f"the {TEMPLATE_SECTION}: {who}: there is no {kind} {name[:80]!r} beside it")
        return self._hrefs[kind, name]


def without_secrets(kind: str, template: Document) -> Document:
    """Return the template, of a Credential only what packages may hold."""
    if kind != "Credential":
        return template
    return {name: template[name] for name in ("userName", "key") if name in template}


def check_texts(template: Document, who: str) -> None:
    """Raise PackageInvalid for addresses and names that are none."""
    try:
        if "ip" in template:
            parse_ip(template["ip"], "ip")
        if template.get("hostname"):
            checked_hostname(template["hostname"], "hostname")
        if "macAddress" in template:
            checked_mac(template["macAddress"], "macAddress")
        for name in ("cidr", "cidr6"):
            if name in template.get("networkConfig", {}):
                _range(template["networkConfig"][name], f"networkConfig.{name}")
    except Invalid as error:
        raise PackageInvalid(f"the {TEMPLATE_SECTION}: {who}: {error.message}") from None


def _range(text: str, where: str) -> None:
    try:
        ipaddress.ip_network(text.strip())
    except ValueError:
        raise Invalid(f"{text[:60]!r} is no range of addresses", where) from None
