"""What guests are told: their own values, those around them, and never a neighbour's password; and not too much."""

from __future__ import annotations

import base64

import pytest
from lxml import etree

from gateway.orchestration.systems.packages.wishes import Wishes
from gateway.ovf import bounds
from gateway.ovf.deployment import Group, Guest, deploy
from gateway.ovf.environment import CloudInit, awaits_environment, cloud_init, environment
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.model import Envelope
from gateway.ovf.properties import Value
from gateway.ovf.reading import read_envelope
from tests.unit.ovf.samples import VMWARE, envelope, system

OE = "{http://schemas.dmtf.org/ovf/environment/1}"
PRODUCT = """<ProductSection><Info>p</Info><Property ovf:key="{0}" ovf:type="string" ovf:value="of {0}"/>
<Property ovf:key="pin" ovf:type="string" ovf:password="true" ovf:value="1234"/></ProductSection>"""


def shop() -> Group:
    guests = "".join(system(name, sections=PRODUCT.format(name)) for name in ("web", "db"))
    site = '<ProductSection><Info>p</Info><Property ovf:key="site" ovf:type="string" ovf:value="a &amp; b"/>'
    collection = f'<VirtualSystemCollection ovf:id="shop"><Info>c</Info>{site}</ProductSection>{guests}'
    found = deploy(read_envelope(envelope(f"{collection}</VirtualSystemCollection>")))
    assert isinstance(found, Group)
    return found


def told(section: etree._Element) -> dict[str, str]:
    return {
        str(found.get(f"{OE}key")): str(found.get(f"{OE}value"))
        for found in section.findall(f"{OE}PropertySection/{OE}Property")
    }


def test_a_guest_is_told_its_own_values_and_those_of_its_collection() -> None:
    group = shop()
    web = next(iter(group.guests()))
    root = etree.fromstring(environment(web, group))
    assert root.get(f"{OE}id") == "web"
    assert told(root) == {"site": "a & b", "web": "of web", "pin": "1234"}


def test_a_guest_is_told_of_its_neighbours_without_their_passwords() -> None:
    group = shop()
    root = etree.fromstring(environment(next(iter(group.guests())), group))
    entity = root.findall(f"{OE}Entity")
    assert [found.get(f"{OE}id") for found in entity] == ["db"]
    assert told(entity[0]) == {"site": "a & b", "db": "of db"}


def test_an_environment_is_awaited_by_iso_alone() -> None:
    found = deploy(read_envelope(VMWARE.encode()))
    assert isinstance(found, Guest)
    assert awaits_environment(found)
    guest_info = deploy(read_envelope(VMWARE.replace("iso com.vmware", "com.vmware").encode()))
    assert isinstance(guest_info, Guest)
    assert not awaits_environment(guest_info)


def test_cloud_init_is_told_what_it_knows_by_name() -> None:
    script = b"#!/bin/sh\necho hello\n"
    values = {
        "public-keys": Value("ssh-ed25519 AAAA a\n\nssh-rsa BBBB b\n"),
        "user-data": Value(base64.b64encode(script).decode()),
        "color": Value("red"),
    }
    assert cloud_init(values) == CloudInit(("ssh-ed25519 AAAA a", "ssh-rsa BBBB b"), script)


def test_user_data_may_be_plain() -> None:
    assert cloud_init({"user-data": Value("#cloud-config\n{}\n")}).user_data == b"#cloud-config\n{}\n"


ISO = '<VirtualHardwareSection ovf:transport="iso">'


def neighbours(number: int, value: str, *, configurable: bool = False, transport: str = ISO) -> Envelope:
    """A collection of so many guests, each with one property of its own."""
    chosen = ' ovf:userConfigurable="true"' if configurable else ""
    told = f'<ProductSection><Info>p</Info><Property ovf:key="k" ovf:value="{value}"{chosen}/></ProductSection>'
    guests = "".join(system(f"g{one}", sections=told) for one in range(number))
    guests = guests.replace("<VirtualHardwareSection>", transport)
    collection = f'<VirtualSystemCollection ovf:id="crowd"><Info>c</Info>{guests}</VirtualSystemCollection>'
    return read_envelope(envelope(collection))


def test_neighbours_who_are_told_too_much_of_each_other_are_refused_by_their_collection() -> None:
    with pytest.raises(PackageInvalid, match=rf"'crowd'.* told \d+ bytes.* at most {bounds.MOST_TOLD}"):
        Wishes().deploy(neighbours(500, "x" * 14_000))


def test_the_ids_of_neighbours_count_as_their_values_do() -> None:
    guests = "".join(system(f"g{one}{'x' * 14_000}") for one in range(100))
    guests = guests.replace("<VirtualHardwareSection>", ISO)
    one = '<ProductSection><Info>p</Info><Property ovf:key="k" ovf:value="v"/></ProductSection>'
    text = f'<VirtualSystemCollection ovf:id="crowd"><Info>c</Info>{one}{guests}</VirtualSystemCollection>'
    with pytest.raises(PackageInvalid, match="told"):
        Wishes().deploy(read_envelope(envelope(text)))


def test_what_the_importer_chooses_counts() -> None:
    read = neighbours(50, "x", configurable=True)
    Wishes().deploy(read)
    with pytest.raises(PackageInvalid, match="told"):
        Wishes(values={"k": "x" * 60_000}).deploy(read)


def test_a_value_of_the_collection_counts_for_each_guest_that_cloud_init_tells_it() -> None:
    given = '<ProductSection><Info>p</Info><Property ovf:key="{}" ovf:value="' + "x" * 60_000 + '"/></ProductSection>'

    def crowd(key: str) -> Envelope:
        guests = "".join(system(f"g{one}") for one in range(400))
        inner = f"<Info>c</Info>{given.format(key)}{guests}"
        return read_envelope(envelope(f'<VirtualSystemCollection ovf:id="crowd">{inner}</VirtualSystemCollection>'))

    Wishes().deploy(crowd("motto"))
    with pytest.raises(PackageInvalid, match="told"):
        Wishes().deploy(crowd("user-data"))


def test_many_guests_with_much_of_their_own_are_imported() -> None:
    Wishes().deploy(neighbours(300, "x" * 20_000, transport="<VirtualHardwareSection>"))
    Wishes().deploy(neighbours(200, "x" * 100))


@pytest.mark.parametrize("value", ["x", "&quot;&amp;&#10;" * 50, "\N{WHITE SMILING FACE}" * 100], ids=range(3))
def test_what_is_counted_is_what_is_told(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    read = neighbours(20, value)
    group = Wishes().deploy(read)
    assert isinstance(group, Group)
    told = sum(len(environment(guest, group)) for guest in group.guests())
    monkeypatch.setattr("gateway.ovf.environment.MOST_TOLD", told - 1)
    with pytest.raises(PackageInvalid, match="told"):
        Wishes().deploy(read)
    monkeypatch.setattr("gateway.ovf.environment.MOST_TOLD", told * 3 // 2)
    assert Wishes().deploy(read) == group
