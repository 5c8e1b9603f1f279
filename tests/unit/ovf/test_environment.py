"""What guests are told: their own values, those around them, and never a neighbour's password."""

from __future__ import annotations

import base64

from lxml import etree

from gateway.ovf.deployment import Group, Guest, deploy
from gateway.ovf.environment import CloudInit, awaits_environment, cloud_init, environment
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
