"""Every reader of what strangers write, with the input that costs it most; tests/unit/test_hostile_costs.py measures all.

A reader is known by the modules that it goes through. A module that reads, or that has a pattern, and is named by
no reader here has to stand in NO_READERS with the reason.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import struct
import tempfile
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers.base import DriverInvalid
from drivers.confined import forms
from drivers.confined.errors import Unreadable
from drivers.images.looking import ImageQuestion, look
from drivers.images.vmdk_grains import UnpackedVmdk
from drivers.images.window import HEAD, LARGEST, TAIL
from drivers.seed import hostname
from gateway.cimi import filter as filters
from gateway.cimi import json_codec, xml_codec
from gateway.cimi.dialects import bare_term
from gateway.cimi.xml_text import element_text
from gateway.errors import GatewayError
from gateway.http import authentication, image_bytes, negotiation, waiting
from gateway.http.conditions import names
from gateway.orchestration.monitoring.occurrences import clean
from gateway.orchestration.systems.packages.importing import Wishes, look_over, told_aside
from gateway.orchestration.systems.packages.parts import file_name
from gateway.ovf import tar
from gateway.ovf.certificate import read_certificate
from gateway.ovf.deployment import deploy
from gateway.ovf.inflating import inflated
from gateway.ovf.manifest import read_manifest
from gateway.ovf.model import Envelope
from gateway.ovf.package import unpack
from gateway.ovf.properties import Value, filled_in
from gateway.ovf.qualifiers import qualifiers_of, words_of
from gateway.ovf.reading import read_envelope
from gateway.ovf.units import bytes_of
from tests import hostile_files as hostile
from tests.plain_reader import Content
from tests.unit.ovf.samples import item, ova

REFUSALS = (DriverInvalid, Unreadable, GatewayError, OSError)
"""A reader may refuse what it reads, as long as that costs no more."""


@dataclass(frozen=True)
class Reader:
    """``make(n)`` is input of n units, ``most`` the largest that is read at all, or more than anyone sends."""

    name: str
    modules: tuple[str, ...]
    make: Callable[[int], Any]
    read: Callable[[Any], Any]
    most: int

    def attempt(self, made: Any) -> None:
        with suppress(*REFUSALS):
            self.read(made)


def _image(content: bytes) -> object:
    question = ImageQuestion(len(content), min(len(content), HEAD), LARGEST)
    return look(question, Content(content[:HEAD] + content[-TAIL:], content))


async def _source(content: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(content), 1024**2):
        yield content[start : start + 1024**2]


class _Nowhere:
    """A Sink that keeps nothing."""

    async def described(self, envelope: Envelope) -> None:
        """It does not matter."""

    async def put(self, file: object, pieces: AsyncIterator[bytes], chunk: int, stands: object) -> None:
        async for _piece in pieces:
            pass


def _members(content: bytes) -> None:
    async def all_of_it() -> None:
        async for _member in tar.members(_source(content)):
            pass

    asyncio.run(all_of_it())


def _inflated(content: bytes) -> None:
    async def all_of_it() -> None:
        async for _piece in inflated(_source(content), 10**9, "f"):
            pass

    asyncio.run(all_of_it())


def _package(content: bytes) -> None:
    asyncio.run(unpack(_source(content), _Nowhere(), 10**9))


def _grains(number: int) -> Path:
    """A streamOptimized vmdk of so many grains, each packed to nothing."""
    packed = zlib.compress(bytes(65536), 9)
    grain = lambda index: struct.pack("<QI", index * 128, len(packed)) + packed  # noqa: E731
    content = bytearray(hostile.vmdk(b'createType="streamOptimized"\nparentCID=ffffffff\nRW 1 SPARSE "x"\n'))
    places = []
    for index in range(number):
        places.append(len(content) // 512)
        content += grain(index).ljust(512, b"\0")
    tables = [places[start : start + 512] for start in range(0, number, 512)]
    directory = []
    for table in tables:
        directory.append(len(content) // 512)
        content += struct.pack("<512I", *table, *[0] * (512 - len(table)))
    struct.pack_into("<Q", content, 12, number * 128)
    struct.pack_into("<Q", content, 56, len(content) // 512)
    content += struct.pack(f"<{len(directory)}I", *directory).ljust(512, b"\0")
    path = Path(tempfile.mkdtemp()) / "grains.vmdk"
    path.write_bytes(content)
    return path


def _unpacked(path: Path) -> None:
    async def all_of_it() -> None:
        unpacked = UnpackedVmdk(path)
        async for _piece in unpacked.pieces():
            pass
        unpacked.close()

    asyncio.run(all_of_it())


# Descriptors


def _systems(number: int) -> bytes:
    """A collection of so many guests, each with properties, and with the network and the disk of all."""
    one = item(1, 3, VirtualQuantity=1) + item(2, 4, VirtualQuantity=128) + item(4, 10, Connection="n")
    one += item(3, 17, HostResource="ovf:/disk/d")
    systems = "".join(
        f'<VirtualSystem ovf:id="s{index}"><Info>i</Info><ProductSection ovf:class="c{index}"><Info>p</Info>'
        f'<Property ovf:key="k" ovf:value="v"/></ProductSection>'
        f"<VirtualHardwareSection><Info>h</Info>{one}</VirtualHardwareSection></VirtualSystem>"
        for index in range(number)
    )
    startup = "".join(f'<Item ovf:id="s{index}" ovf:order="{index}"/>' for index in range(number))
    return (
        f'<Envelope {hostile.HEAD}><References><File ovf:id="f" ovf:href="disk"/></References><DiskSection><Info>d</Info>'
        '<Disk ovf:diskId="d" ovf:fileRef="f" ovf:capacity="1" ovf:capacityAllocationUnits="byte * 2^20"/></DiskSection>'
        '<NetworkSection><Info>n</Info><Network ovf:name="n"/></NetworkSection>'
        f'<VirtualSystemCollection ovf:id="c"><Info>c</Info><StartupSection><Info>s</Info>{startup}</StartupSection>'
        f"{systems}</VirtualSystemCollection></Envelope>"
    ).encode()


def _controllers(number: int) -> bytes:
    """A guest with as many controllers as disks, in the opposite order."""
    controllers = "".join(item(f"c{index}", 6) for index in range(number))  # type: ignore[arg-type]
    drives = "".join(
        item(f"d{index}", 17, Parent=f"c{number - index - 1}", AddressOnParent=0, VirtualQuantity=1)  # type: ignore[arg-type]
        for index in range(number)
    )
    return hostile.described(items=controllers + drives)


def _disks(number: int) -> bytes:
    """Disks that each stand on the one before."""
    files = "".join(f'<File ovf:id="f{index}" ovf:href="h{index}"/>' for index in range(number))
    disks = "".join(
        f'<Disk ovf:diskId="d{index}" ovf:fileRef="f{index}" ovf:capacity="1" ovf:parentRef="d{index - index % 15}"/>'
        if index % 15
        else f'<Disk ovf:diskId="d{index}" ovf:fileRef="f{index}" ovf:capacity="1"/>'
        for index in range(number)
    )
    text = hostile.described().replace(b"</References>", files.encode() + b"</References>")
    return text.replace(b"<Info>d</Info>", b"<Info>d</Info>" + disks.encode())


def _properties(number: int) -> bytes:
    one = "".join(f'<Property ovf:key="k{index}" ovf:value="${{k}}"/>' for index in range(number))
    return hostile.described(more=f"<ProductSection><Info>p</Info>{one}</ProductSection>")


def _networks(number: int) -> bytes:
    networks = "".join(f'<Network ovf:name="n{index}"/>' for index in range(number))
    cards = "".join(item(index + 10, 10, Connection=f"n{number - index - 1}") for index in range(min(number, 900)))
    return hostile.described(sections=f"<NetworkSection><Info>n</Info>{networks}</NetworkSection>", items=cards)


def _looked_over(envelope: Envelope) -> None:
    look_over(envelope, Wishes())
    told_aside(envelope, Wishes().deploy(envelope))


def _envelope(make: Callable[[int], bytes]) -> Callable[[int], Envelope]:
    return lambda number: read_envelope(make(number))


def _members_of_package(number: int) -> bytes:
    files = "".join(f'<File ovf:id="f{index}" ovf:href="h{index}"/>' for index in range(number))
    text = hostile.described().replace(b"</References>", files.encode() + b"</References>")
    return ova(("p.ovf", text), ("disk", b"x"), *((f"h{index}", b"x") for index in range(number)))


DESCRIPTORS = ("gateway.ovf.reading", "gateway.ovf.elements", "gateway.ovf.entities", "gateway.ovf.bounds")
DEPLOYED = ("gateway.ovf.deployment", "gateway.orchestration.systems.packages.composing_machines")
IMAGE = ("drivers.images.looking", "drivers.images.reader")

IMAGES = (
    Reader("vmdk with blanks", (*IMAGE, "drivers.images.vmdk"), hostile.vmdk_of_blanks, _image, 10_000),
    Reader("vmdk of lines", ("drivers.images.vmdk",), hostile.vmdk_of_lines, _image, 10_000),
    Reader("vmdk of grains", ("drivers.images.vmdk_grains",), _grains, _unpacked, 16_384),
    Reader("qcow2", ("drivers.images.qcow2",), lambda n: hostile.qcow2()[: 512 * n].ljust(65536), _image, 1200),
    Reader("qcow2 packed", ("drivers.images.qcow2_content",), lambda n: hostile.qcow2(n, bomb=True), _image, 21),
    Reader("vdi", ("drivers.images.vdi",), hostile.vdi, _image, 2**31),
    Reader("vhd", ("drivers.images.vhd",), lambda n: hostile.vhd(64 * 1024 + n), _image, 2**24),
    Reader("vhdx", ("drivers.images.vhdx",), hostile.vhdx, _image, 2047),
    Reader("raw", ("drivers.images.raw", "drivers.images.window"), lambda n: hostile.raw() + bytes(512 * n), _image, 4096),
)
TAR = ("gateway.ovf.tar",)
PACKAGES = (
    Reader("tar of records", TAR, lambda n: hostile.pax(200, n), _members, 4000),
    Reader("tar of one long header", TAR, lambda n: hostile.pax(n, 1), _members, 8000),
    Reader("tar of directories", TAR, hostile.directories, _members, 16_000),
    Reader("tar of files", TAR, lambda n: ova(*((f"f{i}", b"x") for i in range(n))), _members, 4000),
    Reader("package of files", ("gateway.ovf.package",), _members_of_package, _package, 900),
    Reader("gzip", ("gateway.ovf.inflating",), lambda n: gzip.compress(b"x" * 40 * n), _inflated, 2**22),
    Reader("gzip of members", ("gateway.ovf.inflating",), lambda n: gzip.compress(b"") * n, _inflated, 2**18),
    Reader("manifest of brackets", ("gateway.ovf.manifest",), hostile.manifest_of_brackets, read_manifest, 10**6),
    Reader("manifest of blanks", ("gateway.ovf.manifest",), lambda n: b"SHA1(a)" + b" " * n, read_manifest, 10**6),
    Reader("manifest of lines", ("gateway.ovf.manifest",), lambda n: b"SHA1(a)=" + b"\n" * n, read_manifest, 10**6),
    Reader(
        "manifest of sums", ("gateway.ovf.manifest",),
        lambda n: b"".join(b"SHA1(%d)= %040d\n" % (one, 0) for one in range(n)), read_manifest, 20_000,
    ),
    Reader(
        "certificate of lines", ("gateway.ovf.certificate", "gateway.ovf.certificate_lines"),
        hostile.certificate_of_lines, lambda content: read_certificate(content, b""), 65_000,
    ),
    Reader(
        "certificate of beginnings", ("gateway.ovf.certificate_lines",),
        hostile.certificate_of_beginnings, lambda content: read_certificate(content, b""), 2300,
    ),
)  # fmt: skip


def _qualifiers(text: str) -> None:
    for qualifier in qualifiers_of(text, "it"):
        words_of(qualifier.content)


QUALIFIERS = ("gateway.ovf.qualifiers", "gateway.ovf.properties")
OVF = (
    *(
        Reader(f"descriptor of {name}", DESCRIPTORS, make, read_envelope, most)
        for name, make, most in (
            ("elements", lambda n: hostile.described(sections="<a/>" * n), 99_000),
            ("ignored elements", lambda n: hostile.described(sections='<a ovf:required="false"/>' * n), 99_000),
            ("attributes", lambda n: hostile.described(attributes=" ".join(f'a{i}=""' for i in range(n))), 700_000),
            ("a long attribute", lambda n: hostile.described(attributes=f'a="{"x" * n}"'), 8_000_000),
            ("text", lambda n: hostile.described(more=f"<Name>{'a ' * n}</Name>"), 4_000_000),
            ("depth", lambda n: hostile.described(sections="<a>" * n + "</a>" * n), 40_000),
            ("namespaces", lambda n: hostile.described(attributes=" ".join(f'xmlns:a{i}="{i}"' for i in range(n))), 300_000),
            ("items", lambda n: hostile.described(items=item(4, 5) * n), 30_000),
            ("systems", _systems, 500),
            ("disks", _disks, 900),
            ("properties", _properties, 90_000),
            ("networks", _networks, 90_000),
        )
    ),
    *(
        Reader(f"deployment of {name}", DEPLOYED, _envelope(make), deploy, most)
        for name, make, most in (("controllers", _controllers, 480), ("properties", _properties, 5000))
    ),
    *(
        Reader(f"what becomes of {name}", ("gateway.ovf.deployment",), _envelope(make), _looked_over, most)
        for name, make, most in (("systems", _systems, 480), ("networks", _networks, 990), ("disks", _disks, 900))
    ),
    Reader("forms", ("drivers.confined.forms",), _envelope(_systems), lambda e: forms.value_of(Envelope, forms.form_of(e)), 480),
    *(
        Reader(f"qualifiers of {name}", QUALIFIERS, make, _qualifiers, 16_384)
        for name, make in (
            ("letters", lambda n: "a" * n),
            ("blanks", lambda n: "a" + " " * n),
            ("quotes", lambda n: 'ValueMap{"' + '\\"' * n),
            ("brackets", lambda n: "a(" * n),
            ("open quotes", lambda n: 'a("' * n),
            ("words", lambda n: "ValueMap{" + '"a",b,' * n + "}"),
        )
    ),
    Reader("places", QUALIFIERS, lambda n: "${" * n + "}", lambda text: filled_in(text, {}, "it"), 30_000),
    Reader("values", QUALIFIERS, lambda n: "${a}" * n, lambda text: filled_in(text, {"a": Value("1")}, "it"), 16_000),
    Reader("units", ("gateway.ovf.units",), lambda n: "byte" + " * 2 / 2" * n, lambda text: bytes_of("1", text, "it"), 8000),
    Reader("units of blanks", ("gateway.ovf.units",), lambda n: "byte *" + " " * n, lambda text: bytes_of("1", text, "it"), 65_000),
)

TYPES = {"name": filters.AttributeType.STRING}
"""What the filter of these tests is about."""


def _filter(text: str) -> object:
    return filters.parse(text, TYPES)


def _doubled(number: int) -> bytes:
    return json.dumps({f"n{one}": 1 for one in range(number)}).replace('"n1"', '"n0"', 1).encode()


BODIES = (
    Reader("JSON of names", ("gateway.cimi.json_codec",), lambda n: json.dumps({f"n{i}": 1 for i in range(n)}).encode(), json_codec.decode, 100_000),
    Reader("JSON with a name twice", ("gateway.cimi.json_codec",), _doubled, json_codec.decode, 100_000),
    Reader("JSON of lists", ("gateway.cimi.json_codec",), lambda n: b'{"a":[' + b"{}," * n + b"{}]}", json_codec.decode, 340_000),
    Reader("JSON of digits", ("gateway.cimi.json_codec",), lambda n: b'{"a":' + b"1" * n + b"}", json_codec.decode, 10**6),
    Reader("JSON of depth", ("gateway.cimi.json_codec",), lambda n: b'{"a":' + b"[" * n + b"]" * n + b"}", json_codec.decode, 400_000),
    Reader("XML of elements", ("gateway.cimi.xml_codec", "gateway.xml_guard"), lambda n: b"<a>" + b"<b/>" * n + b"</a>", xml_codec.decode, 250_000),
    Reader("XML of names", ("gateway.xml_guard",), lambda n: b"<a>" + b"".join(b"<b%d/>" % i for i in range(n)) + b"</a>", xml_codec.decode, 100_000),
    Reader("XML of attributes", ("gateway.xml_guard",), lambda n: b"<a " + b" ".join(b'b%d=""' % i for i in range(n)) + b"/>", xml_codec.decode, 100_000),
    Reader("XML of text", ("gateway.cimi.xml_codec",), lambda n: b"<a>" + b"&lt;" * n + b"</a>", xml_codec.decode, 250_000),
    Reader("XML of depth", ("gateway.xml_guard",), lambda n: b"<a>" * n + b"</a>" * n, xml_codec.decode, 140_000),
    Reader("texts in XML", ("gateway.cimi.xml_text",), lambda n: "<" * n, element_text, 10**6),
)
WORDS = (
    Reader("$filter of parts", ("gateway.cimi.filter",), lambda n: " and ".join(["name='x'"] * n), _filter, 4000),
    Reader("$filter of brackets", ("gateway.cimi.filter",), lambda n: "(" * n + "name='x'" + ")" * n, _filter, 20_000),
    Reader("$filter of a word", ("gateway.cimi.filter",), lambda n: "name='" + "\\'" * n, _filter, 30_000),
    Reader("$filter of blanks", ("gateway.cimi.filter",), lambda n: "name" + " " * n + "x", _filter, 60_000),
    Reader("Accept", ("gateway.http.negotiation",), lambda n: "a/b;q=0.1;" * n + ",", lambda t: negotiation.answer_format(t, None), 2000),
    Reader("Accept of entries", ("gateway.http.negotiation",), lambda n: "a/b," * n, lambda t: negotiation.answer_format(t, None), 4000),
    Reader("Content-Type", ("gateway.http.negotiation",), lambda n: "application/json" + ";a=b" * n, negotiation.body_format, 4000),
    Reader("If-Match", ("gateway.http.conditions",), lambda n: ",".join(f'"{one}"' for one in range(n)), lambda t: names(t, ["x"]), 4000),
    Reader("Prefer", ("gateway.http.waiting",), lambda n: " wait" + " " * n + "wait=x", lambda t: waiting.seconds_to_wait(t, 1.0), 16_000),
    Reader("Prefer of waits", ("gateway.http.waiting",), lambda n: ",wait= \"" * n, lambda t: waiting.seconds_to_wait(t, 1.0), 2000),
    Reader("Range", ("gateway.http.image_bytes",), lambda n: "bytes=" + "0" * n + "-", image_bytes.RANGE.fullmatch, 16_000),
    Reader("Content-Range", ("gateway.http.image_bytes",), lambda n: "bytes 0-" + "0" * n, image_bytes.CONTENT_RANGE.fullmatch, 16_000),
    Reader("digest", ("gateway.http.image_bytes",), lambda n: "sha-256=:" * n, image_bytes.DIGEST.search, 2000),
    Reader("Authorization", ("gateway.http.authentication",), lambda n: "Basic " + "A" * n, authentication.claimed_user, 16_000),
    Reader("action's URI", ("gateway.cimi.dialects",), lambda n: "http://schemas.dmtf.org/cimi/1/" + "aa/" * n + "!", bare_term, 100_000),
    Reader("host name", ("drivers.seed",), lambda n: "-_" * n, lambda t: hostname(t, "i"), 10**6),
    Reader("file name", ("gateway.orchestration.systems.packages.parts",), lambda n: "- /" * n, file_name, 10**6),
    Reader("words of an event", ("gateway.orchestration.monitoring.occurrences",), lambda n: "\0\x1b" * n, clean, 10**6),
)
READERS = (*IMAGES, *PACKAGES, *OVF, *BODIES, *WORDS)

MEASURED_BY_ITS_PATTERN = "its patterns are measured by themselves, in the same tests"
NO_READERS = {
    "drivers.images.cautious": "it gives the bytes to drivers.images.looking",
    "drivers.images.convert": "it reads qemu-img's own words",
    "drivers.images.qcow2_writing": "it writes",
    "drivers.libvirt.qemu_monitor": MEASURED_BY_ITS_PATTERN,
    "drivers.libvirt.storage": MEASURED_BY_ITS_PATTERN,
    "drivers.web.fetch": MEASURED_BY_ITS_PATTERN,
    "gateway.cimi.fields": "values of documents; its patterns stand in full matches of single characters",
    "gateway.config": "the admin's own file",
    "gateway.config.networks": "the admin's own file",
    "gateway.http.context": MEASURED_BY_ITS_PATTERN,
    "gateway.orchestration.machines.targets": MEASURED_BY_ITS_PATTERN,
    "gateway.orchestration.networks.hostnames": MEASURED_BY_ITS_PATTERN,
    "gateway.orchestration.networks.mac": MEASURED_BY_ITS_PATTERN,
    "gateway.ovf.archive": "it writes",
    "gateway.ovf.collection_section": "a part of the descriptor, read with gateway.ovf.reading",
    "gateway.ovf.environment": "it writes",
    "gateway.ovf.errors": "it has no bytes",
    "gateway.ovf.items": "a part of the descriptor, read with gateway.ovf.reading",
    "gateway.ovf.model": "it is what was read",
    "gateway.ovf.names": "words of the standard",
    "gateway.ovf.template_section": "a part of the descriptor, read with gateway.ovf.reading",
    "gateway.ovf.writing": "it writes",
    "gateway.users": "the admin's own file",
}
"""Modules that have a pattern, or stand in a room of readers, and need no measure."""
