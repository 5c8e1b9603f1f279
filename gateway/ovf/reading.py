"""From a descriptor's XML to an Envelope (DSP0243 clauses 7 to 9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from urllib.parse import unquote

from gateway.ovf.bounds import bounded
from gateway.ovf.elements import Element, Walk, attribute, demanded, local, root_of, truth, where, whole
from gateway.ovf.entities import read_whole
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.model import Configuration, Disk, Envelope, File, Network, VirtualSystem, VirtualSystemCollection
from gateway.ovf.names import ENVELOPES, EXTENSION

CONTENTS = frozenset({"VirtualSystem", "VirtualSystemCollection"})
SECTIONS = frozenset({"References", "DiskSection", "SharedDiskSection", "NetworkSection", "DeploymentOptionSection"})
MOST_FILES = 1000
MOST_SYSTEMS = 500
MOST_PARENTS = 16
SCHEME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789+.-")
"""What the scheme of a URI is made of (RFC 3986, 3.1)."""


def read_envelope(content: bytes) -> Envelope:
    """Return what a descriptor says. Raises PackageInvalid for what is none, is hostile, or does not fit together.

    Required parts that are not known here are for ``deploy`` to refuse: they stand in ``unsupported``.
    """
    root = root_of(content)
    version = ENVELOPES.get(str(root.nsmap.get(root.prefix) or ""))
    if local(root) != "Envelope" or version is None:
        raise PackageInvalid("the descriptor is no OVF Envelope of version 1 or 2")
    walk = Walk()
    parts: dict[str, list[Element]] = {}
    for name, element in walk.standard_children(root, SECTIONS | CONTENTS | {"Strings"}):
        parts.setdefault(name, []).append(element)
    contents = [*parts.get("VirtualSystem", []), *parts.get("VirtualSystemCollection", [])]
    if len(contents) != 1:
        raise PackageInvalid(
            f"the descriptor has {len(contents)} VirtualSystems or VirtualSystemCollections at its top; "
            "one belongs there"
        )
    envelope = Envelope(
        content=read_whole(walk, contents[0]),
        files=tuple(_files(walk, parts.get("References", []))),
        disks=(
            *_disks(walk, parts.get("DiskSection", [])),
            *_disks(walk, parts.get("SharedDiskSection", []), True),
        ),
        networks=tuple(_networks(walk, parts.get("NetworkSection", []))),
        configurations=tuple(_configurations(walk, parts.get("DeploymentOptionSection", []))),
        version=version,
        ignored=tuple(walk.ignored),
        unsupported=tuple(walk.unsupported),
    )
    _demand_sound(envelope)
    return bounded(envelope)


def _files(walk: Walk, sections: list[Element]) -> Iterable[File]:
    for section in sections:
        for _name, element in walk.standard_children(section, frozenset({"File"})):
            compression = (attribute(element, "compression") or "identity").lower()
            if compression not in ("identity", "gzip"):
                raise PackageInvalid(f"{where(element)} is compressed by {compression[:20]!r}; only gzip is known")
            href = demanded(element, "href")
            name = plain_name(href)
            for spelling in (href, name):
                demand_inside(spelling, where(element))
            chunk = whole(element, "chunkSize")
            yield File(demanded(element, "id"), name, whole(element, "size"), compression == "gzip", chunk or None)


def plain_name(href: str) -> str:
    """Return the name of the file that a reference means: ``./my%20disk.vmdk`` is ``my disk.vmdk`` (RFC 3986)."""
    name = unquote(href)
    while name.startswith("./"):
        name = name[2:]
    return name


def demand_inside(href: str, who: str) -> None:
    """Raise PackageInvalid for a name that leads out of the package; ``who`` is what has the name, for people."""
    parts = PurePosixPath(href).parts
    if _has_scheme(href):
        raise PackageInvalid(f"{who} lies outside of the package, at {href[:80]!r}; put the file into the package")
    hostile = href.startswith("/") or "\\" in href or ".." in parts or any(ord(sign) < 32 for sign in href)
    if hostile or not parts or len(href) > 255:
        raise PackageInvalid(f"{who} has the file name {href[:80]!r}, which leads out of the package")


def _has_scheme(href: str) -> bool:
    scheme, colon, _rest = href.partition(":")
    return bool(colon) and scheme[:1].isalpha() and SCHEME.issuperset(scheme.lower())


def _disks(walk: Walk, sections: list[Element], shared: bool = False) -> Iterable[Disk]:
    for section in sections:
        for _name, element in walk.standard_children(section, frozenset({"Info", "Disk", "SharedDisk"})):
            if local(element) != "Info":
                yield Disk(
                    id=demanded(element, "diskId"),
                    capacity=demanded(element, "capacity"),
                    units=attribute(element, "capacityAllocationUnits") or "byte",
                    file=attribute(element, "fileRef") or None,
                    format=attribute(element, "format") or "",
                    parent=attribute(element, "parentRef") or None,
                    populated=whole(element, "populatedSize"),
                    shared=shared,
                    name=str(element.get(f"{{{EXTENSION}}}name") or ""),
                    use=str(element.get(f"{{{EXTENSION}}}use") or ""),
                    kilobytes=_kilobytes(element),
                )


def _kilobytes(element: Element) -> int | None:
    """Return our own attribute of a Disk; None where there is none that can be meant."""
    text = str(element.get(f"{{{EXTENSION}}}kilobytes") or "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _networks(walk: Walk, sections: list[Element]) -> Iterable[Network]:
    for section in sections:
        for name, element in walk.standard_children(section, frozenset({"Info", "Network"})):
            if name == "Network":
                kind = str(element.get(f"{{{EXTENSION}}}networkType") or "")
                yield Network(demanded(element, "name"), walk.text(element, "Description"), kind)


def _configurations(walk: Walk, sections: list[Element]) -> Iterable[Configuration]:
    for section in sections:
        for name, element in walk.standard_children(section, frozenset({"Info", "Configuration"})):
            if name == "Configuration":
                yield Configuration(
                    id=demanded(element, "id"),
                    label=walk.text(element, "Label"),
                    description=walk.text(element, "Description"),
                    default=truth(attribute(element, "default"), False),
                )


# What has to fit together


def _demand_sound(envelope: Envelope) -> None:
    if len(envelope.files) > MOST_FILES or len(envelope.disks) > MOST_FILES:
        raise PackageInvalid(f"the package has more than {MOST_FILES} files or disks")
    _demand_different("File ids", (file.id for file in envelope.files))
    _demand_different("files", (file.href for file in envelope.files))
    _demand_different("Disk ids", (disk.id for disk in envelope.disks))
    _demand_different("Networks", (network.name for network in envelope.networks))
    _demand_different("Configurations", (choice.id for choice in envelope.configurations))
    content = envelope.content
    systems = [content] if isinstance(content, VirtualSystem) else list(content.systems())
    if not 0 < len(systems) <= MOST_SYSTEMS:
        raise PackageInvalid(f"the package has {len(systems)} virtual systems; 1 to {MOST_SYSTEMS} can be imported")
    _demand_different("VirtualSystem ids", _identities(content))
    files, disks = {file.id for file in envelope.files}, {disk.id: disk for disk in envelope.disks}
    for disk in envelope.disks:
        _check_parents(disks, disk)
        if disk.file is not None and disk.file not in files:
            where = f"Disk {disk.id!r} has its content in {disk.file[:60]!r}"
            raise PackageInvalid(f"{where}, which References do not name")


def _identities(content: VirtualSystem | VirtualSystemCollection) -> Iterable[str]:
    yield content.id
    if isinstance(content, VirtualSystemCollection):
        for part in content.content:
            yield from _identities(part)


def _check_parents(disks: Mapping[str, Disk], disk: Disk) -> None:
    """Raise PackageInvalid for a Disk whose parents are missing, empty or too many (ovf:parentRef, clause 9.1).

    Such a Disk holds what differs from its parent.
    """
    seen, lower = {disk.id}, disk
    while lower.parent is not None:
        below = disks.get(lower.parent)
        if below is None:
            raise PackageInvalid(f"Disk {lower.id!r} stands on {lower.parent[:60]!r} (ovf:parentRef): there is none")
        if below.id in seen or len(seen) > MOST_PARENTS:
            raise PackageInvalid(f"Disk {disk.id!r} stands on itself, or on more than {MOST_PARENTS} others")
        if lower.file is None or below.file is None:
            raise PackageInvalid(f"Disk {lower.id!r} stands on {below.id!r} (ovf:parentRef), but one of both is empty")
        seen.add(below.id)
        lower = below


def _demand_different(what: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise PackageInvalid(f"two {what} of the descriptor are {value[:80]!r}")
        seen.add(value)
