"""CIMI's XML: what is read is the document that JSON has, and what is written follows the official schema."""

from __future__ import annotations

import pytest
from cimi_client import Document
from cimi_client.xml_form import read, write
from lxml import etree

from tests.official_schema import official_schema

NS = "http://schemas.dmtf.org/cimi/1"


def test_a_machine_is_read_with_its_numbers_references_properties_and_operations() -> None:
    body = f"""<Machine xmlns="{NS}"><id>http://h/m/1</id><name> web1 </name><property key="a">1</property>
        <cpu>2</cpu><disks href="http://h/m/1/disks"/><operation rel="edit" href="http://h/m/1"/></Machine>"""
    assert read(body.encode()) == {
        "resourceURI": f"{NS}/Machine",
        "id": "http://h/m/1",
        "name": "web1",
        "properties": {"a": "1"},
        "cpu": 2,
        "disks": {"href": "http://h/m/1/disks"},
        "operations": [{"rel": "edit", "href": "http://h/m/1"}],
    }


def test_a_collection_is_read_with_its_items() -> None:
    body = f"""<Collection xmlns="{NS}" resourceURI="{NS}/AddressCollection"><id>a</id><count>1</count>
        <Address><ip>10.0.0.1</ip><dns>10.0.0.2</dns></Address></Collection>"""
    address = {"resourceURI": f"{NS}/Address", "ip": "10.0.0.1", "dns": ["10.0.0.2"]}
    assert read(body.encode()) == {
        "resourceURI": f"{NS}/AddressCollection",
        "id": "a",
        "count": 1,
        "addresses": [address],
    }


def test_the_misprint_of_the_schema_is_read_as_what_it_means() -> None:
    body = f'<MachineSnapshot xmlns="{NS}"><shapshot href="i"/></MachineSnapshot>'
    assert read(body.encode())["snapshot"] == {"href": "i"}


def test_a_text_without_namespace_is_read_too() -> None:
    assert read(b"<Job><state>FAILED</state></Job>") == {"resourceURI": f"{NS}/Job", "state": "FAILED"}


DISK: Document = {"capacity": 1, "initialLocation": "/dev/vda", "format": "ext4"}
INTERFACE: Document = {
    "mtu": 1400,
    "state": "Active",
    "addresses": [{"href": "a"}],
    "network": {"href": "n"},
}
CREATES: list[tuple[str, Document]] = [
    (
        "MachineCreate",
        {
            "machineTemplate": {
                "volumes": [{"href": "v", "initialLocation": "/dev/sdb"}],
                "machineImage": {"href": "i"},
                "machineConfig": {"disks": [DISK, DISK], "memory": 1, "cpu": 1},
                "networkInterfaces": [
                    {"mtu": 1400, "state": "Active", "addresses": [{"href": "a"}], "network": {"href": "n"}}
                ],
                "initialState": "STARTED",
            },
            "properties": {"tier": "front & back"},
            "name": "web1",
        },
    ),
    ("CredentialCreate", {"credentialTemplate": {"key": "ssh-rsa x", "userName": "me"}, "name": "mine"}),
    ("MachineImage", {"size": 5, "imageLocation": "http://x/y", "type": "IMAGE", "name": "a"}),
    ("Action", {"properties": {"timeout": "5"}, "force": True, "action": f"{NS}/action/stop"}),
    ("VolumeCreate", {"volumeTemplate": {"volumeConfig": {"capacity": 1, "type": f"{NS}/mapped"}}, "name": "v"}),
]


@pytest.mark.parametrize(("root", "document"), CREATES, ids=[root for root, _ in CREATES])
def test_what_is_sent_follows_the_official_schema(root: str, document: Document) -> None:
    schema = official_schema()
    assert schema.validate(etree.fromstring(write(document, root))), schema.error_log


@pytest.mark.parametrize(("root", "document"), CREATES, ids=[root for root, _ in CREATES])
def test_what_is_sent_is_read_as_it_was(root: str, document: Document) -> None:
    if root == "CredentialCreate":
        assert etree.fromstring(write(document, root)).find(f".//{{{NS}}}key") is not None
        return
    assert {**read(write(document, root)), "resourceURI": ""} == {**document, "resourceURI": ""}


def test_what_is_to_be_erased_is_an_empty_element() -> None:
    assert b"<description />" in write({"description": None}, "Machine")
