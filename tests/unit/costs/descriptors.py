"""Readers of OVF descriptors, and what becomes of them, each with the input that costs it most."""

from __future__ import annotations

from collections.abc import Callable

from drivers.confined import forms
from gateway.orchestration.systems.packages.wishes import Wishes, look_over, put_aside
from gateway.ovf.deployment import deploy
from gateway.ovf.model import Envelope
from gateway.ovf.properties import Value, filled_in
from gateway.ovf.qualifiers import qualifiers_of, words_of
from gateway.ovf.reading import read_envelope
from gateway.ovf.units import bytes_of
from tests import hostile_files as hostile
from tests.unit.costs.reader import Reader
from tests.unit.ovf.samples import HEAD, item


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
        f'<Envelope {HEAD}><References><File ovf:id="f" ovf:href="disk"/></References>'
        '<DiskSection><Info>d</Info><Disk ovf:diskId="d" ovf:fileRef="f" ovf:capacity="1"/></DiskSection>'
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
    put_aside(envelope, Wishes().deploy(envelope))


def _envelope(make: Callable[[int], bytes]) -> Callable[[int], Envelope]:
    return lambda number: read_envelope(make(number))


DESCRIPTORS = ("gateway.ovf.reading", "gateway.ovf.elements", "gateway.ovf.entities", "gateway.ovf.bounds")
DEPLOYED = ("gateway.ovf.deployment", "gateway.orchestration.systems.packages.composing_machines")


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
            (
                "namespaces",
                lambda n: hostile.described(attributes=" ".join(f'xmlns:a{i}="{i}"' for i in range(n))),
                300_000,
            ),
            ("items", lambda n: hostile.described(items=item(4, 5) * n), 30_000),
            ("systems", _systems, 500),
            ("disks", _disks, 900),
            ("properties", _properties, 90_000),
            ("networks", _networks, 90_000),
        )
    ),
    *(
        Reader(f"deployment of {name}", DEPLOYED, _envelope(make), deploy, most)
        for name, make, most in (("controllers", _controllers, 480), ("properties", _properties, 20_000))
    ),
    *(
        Reader(f"what becomes of {name}", ("gateway.ovf.deployment",), _envelope(make), _looked_over, most)
        for name, make, most in (("systems", _systems, 480), ("networks", _networks, 990), ("disks", _disks, 900))
    ),
    Reader(
        "forms",
        ("drivers.confined.forms",),
        _envelope(_systems),
        lambda e: forms.value_of(Envelope, forms.form_of(e)),
        480,
    ),
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
    Reader(
        "units", ("gateway.ovf.units",), lambda n: "byte" + " * 2 / 2" * n, lambda text: bytes_of("1", text, "it"), 8000
    ),
    Reader(
        "units of blanks",
        ("gateway.ovf.units",),
        lambda n: "byte *" + " " * n,
        lambda text: bytes_of("1", text, "it"),
        65_000,
    ),
)
