"""The parts of CIMI that a package carries where OVF has no words: templates in sections of our own, in and out.

They are read as if a client had sent them. Their references are by name and lead to the package itself: a Network by
its name in the NetworkSection, a Volume by the id of its Disk, everything else by the name that its descriptor has.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.cimi import xml_codec
from gateway.cimi.dialects import CIMI_1
from gateway.cimi.documents import read_create
from gateway.cimi.edge import SYMBOL, Edge
from gateway.cimi.references import outward
from gateway.cimi.registry import type_of
from gateway.errors import Invalid
from gateway.orchestration.common.references import OWN
from gateway.orchestration.systems.blueprint import DESCRIBED, KINDS, MOST_COMPONENTS
from gateway.orchestration.systems.packages.parts import unique
from gateway.orchestration.systems.packages.words import ORIGIN
from gateway.orchestration.systems.symbols import Reference, references
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.names import TEMPLATE_SECTION
from gateway.store.model import Document

CARRIED = ("Network", "Volume", "Credential", "NetworkPort", "Address", "ForwardingGroup")
"""Kinds of the components that a carried SystemTemplate describes; the other ones are OVF's own."""
PLACED = frozenset({"Network", "Volume"})
"""Kinds of which OVF tells the most; the descriptor says the rest."""
BARE = frozenset({"ForwardingGroup", "Credential"})
"""Kinds whose template may say nothing, which XML cannot tell from none."""
EDGE = Edge("", CIMI_1)


def symbol(name: str) -> Document:
    """Return a reference by name."""
    return {"href": f"{SYMBOL}{name}"}


def some(document: Document) -> Document:
    """Return the document less what says nothing."""
    return {name: value for name, value in document.items() if value not in (None, "", [], {})}


def written(kind: str, document: Document) -> str:
    """Return the XML of a template. Write-only attributes are not in it."""
    described = type_of(kind)
    document_outside = outward(described.attributes, document, EDGE.to_uri)
    out: list[str] = []
    xml_codec.write_resource(described, document_outside, CIMI_1, out, f' xmlns="{CIMI_1.namespace}"')
    return "".join(out)


def read(kind: str, text: str, who: str) -> Document:
    """Return the template that ``who`` carries. Raises PackageInvalid for what no client could send either."""
    if not text:
        return {}
    try:
        return read_create(kind, text.encode(), "xml", EDGE)
    except Invalid as error:
        raise PackageInvalid(f"the {TEMPLATE_SECTION} of {who}: {error.message}") from None


def demand_near(carried: Iterator[Reference], who: str) -> None:
    """Raise PackageInvalid for a reference that leads out of the package."""
    for reference in carried:
        if not reference.href.startswith(SYMBOL):
            raise PackageInvalid(
                f"the {TEMPLATE_SECTION} of {who}: {reference.where}: {reference.href[:80]!r} is not in the package; "
                f"a reference is by name here, such as {SYMBOL}front"
            )


def read_machine(text: str, who: str) -> Document:
    """Return the MachineTemplate that a virtual system carries. Raises PackageInvalid."""
    template = read("MachineTemplate", text, who)
    members = type_of("MachineTemplate").attributes
    for name in template.keys() & {"credential", "volumes", "volumeTemplates", "networkInterfaces"}:
        demand_near(references(members[name], template[name], (name,)), who)
    return template


class Carried:
    """The components that a collection's section describes, and where they came from."""

    def __init__(self, text: str = "", who: str = "") -> None:
        template = read("SystemTemplate", text, who)
        self.who = who
        self.origin: str = (template.get("properties") or {}).get(ORIGIN, "")
        self.components: dict[str, dict[str, Document]] = {kind: {} for kind in CARRIED}
        """Components by kind and name, in their order."""
        descriptors = template.get("componentDescriptors") or []
        if len(descriptors) > MOST_COMPONENTS:
            raise self._wrong(f"has {len(descriptors)} descriptors; at most {MOST_COMPONENTS} are allowed")
        for place, descriptor in enumerate(descriptors):
            self._enter(place, descriptor)

    def _enter(self, place: int, descriptor: Document) -> None:
        kind, where = descriptor.get("type"), f"componentDescriptors.{place}"
        if kind not in CARRIED:
            raise self._wrong(f"{where}.type: {str(kind)[:60]!r} does not belong here; {', '.join(CARRIED)} do")
        attribute = KINDS[kind]
        other = next((name for name in (*DESCRIBED, "quantity") if name in descriptor and name != attribute), None)
        if kind in BARE:
            descriptor.setdefault(attribute, {})
        if other is not None or (attribute not in descriptor and kind not in PLACED):
            raise self._wrong(f"{where}.{other or attribute}: {'does not belong here' if other else 'is missing'}")
        name = descriptor.get("name") or f"{SYMBOL}{place}"
        if name in self.components[kind]:
            raise self._wrong(f"{where}.name: {name[:80]!r} is the name of another {kind}")
        demand_near(references(DESCRIBED[attribute], descriptor.get(attribute), (where, attribute)), self.who)
        self.components[kind][name] = descriptor

    def _wrong(self, words: str) -> PackageInvalid:
        return PackageInvalid(f"the {TEMPLATE_SECTION} of {self.who}: {words}")

    def rest_of(self, kind: str, name: str) -> Document:
        """Return what is said of a Network or Volume beside OVF's own words."""
        return self.components[kind].get(name, {})

    def made(self) -> Iterator[tuple[str, str, Document]]:
        """Yield kind, name and descriptor of what OVF has no words for at all."""
        for kind in CARRIED:
            if kind not in PLACED:
                yield from ((kind, name, descriptor) for name, descriptor in self.components[kind].items())

    def networks(self) -> set[str]:
        """Return the names of the networks that these components need."""
        described = ((KINDS[kind], descriptor) for kind in CARRIED for descriptor in self.components[kind].values())
        return {
            reference.href.removeprefix(SYMBOL)
            for attribute, descriptor in described
            for reference in references(DESCRIBED[attribute], descriptor.get(attribute), (attribute,))
            if reference.kind == "Network"
        }


class Carrying:
    """A collector of what one collection of a new package is to carry; the opposite of ``Carried``."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._descriptors: list[Document] = []
        self._names: dict[str, str] = {}
        """What was added, by its key, to its name here."""
        self._taken: dict[str, set[str]] = {}

    def name_of(self, key: str) -> str | None:
        """Return the name here of what was added by this key; None when it was not."""
        return self._names.get(key)

    def place(self, kind: str, key: str, identity: str, own: Document, template: Document) -> None:
        """Enter the rest of a Network or a Volume, whose identity is OVF's."""
        if key not in self._names:
            self._names[key] = identity
            self._add(kind, identity, own, template)

    def add(self, kind: str, key: str, own: Document, template: Document, *, referred: bool = False) -> str:
        """Enter a component. Returns the name by which it can be referred to; it needs one when it is."""
        if key in self._names:
            return self._names[key]
        wished = own.get("name") or (f"{kind.lower()}-{len(self._descriptors) + 1}" if referred else None)
        name = unique(wished, self._taken.setdefault(kind, set())) if wished else None
        self._names[key] = name or ""
        self._add(kind, name, own, template)
        return name or ""

    def _add(self, kind: str, name: str | None, own: Document, template: Document) -> None:
        said = {key: own[key] for key in OWN if key in own}
        described = {**said, "name": name, "type": kind, KINDS[kind]: some(template)}
        self._descriptors.append(some(described))

    def text(self) -> str:
        """Return the XML of the collection's section."""
        origin = {"properties": {ORIGIN: self._origin}}
        return written("SystemTemplate", {**origin, "componentDescriptors": self._descriptors})
