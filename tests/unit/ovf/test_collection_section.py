"""A collection of one virtual system is written as that system, which other programs read, and comes back as it was."""

from __future__ import annotations

import pytest
from lxml import etree

from gateway.ovf.errors import PackageInvalid
from gateway.ovf.model import (
    Envelope,
    Hardware,
    Product,
    Property,
    StartupItem,
    VirtualSystem,
    VirtualSystemCollection,
)
from gateway.ovf.reading import read_envelope
from gateway.ovf.writing import write_envelope

WEB = VirtualSystem("web", "web", info="i", hardware=(Hardware(),))
SHOP = VirtualSystemCollection(
    "shop",
    "The shop",
    info="i",
    annotation="sells",
    products=(Product(product="Shop", properties=(Property("color", value="red"),)),),
    startup=(StartupItem("web", 1),),
    content=(WEB,),
)


def names(parent: etree._Element) -> list[str]:
    return [etree.QName(child).localname for child in parent]


def test_it_is_the_only_content_at_the_top() -> None:
    root = etree.fromstring(write_envelope(Envelope(SHOP)))
    assert names(root) == ["References", "VirtualSystem"]


def test_the_collection_comes_back() -> None:
    assert read_envelope(write_envelope(Envelope(SHOP))).content == SHOP


def test_who_does_not_know_the_section_may_ignore_it() -> None:
    root = etree.fromstring(write_envelope(Envelope(SHOP)))
    section = root.find(".//{*}CollectionSection")
    assert section is not None
    assert section.get("{http://schemas.dmtf.org/ovf/envelope/1}required") == "false"


def test_a_collection_inside_of_a_collection_stays_one() -> None:
    whole = VirtualSystemCollection("all", info="i", content=(SHOP, WEB))
    assert names(etree.fromstring(write_envelope(Envelope(whole)))[-1])[-2:] == [
        "VirtualSystemCollection",
        "VirtualSystem",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((b"</VirtualSystemCollection>", b"<VirtualSystem/></VirtualSystemCollection>"), "holds other systems"),
        ((b"VirtualSystemCollection", b"Virtual"), "has to hold one VirtualSystemCollection"),
    ],
)
def test_a_wrong_section_is_refused(change: tuple[bytes, bytes], said: str) -> None:
    with pytest.raises(PackageInvalid, match=said):
        read_envelope(write_envelope(Envelope(SHOP)).replace(*change))
