"""The catalogue and its checks belong together, and say what they have to."""

from __future__ import annotations

import re

import pytest

from conformance import registry
from conformance import vocabulary as words
from conformance.catalogue import FAMILIES, catalogue
from conformance.checks.shapes import slug
from conformance.provider import Provider
from conformance.xml_form import document, encode, parse

ENTRIES = list(catalogue().values())


def nothing(_provider: Provider) -> None:
    """A check that asks nothing."""


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    registry.load()


def test_every_entry_has_exactly_one_check() -> None:
    assert not registry.CHECKS.keys() & registry.AUDITS.keys()
    assert registry.CHECKS.keys() | registry.AUDITS.keys() == catalogue().keys()


def test_the_statement_is_the_docstring_of_its_check() -> None:
    checks = {**registry.CHECKS, **registry.AUDITS}
    assert {name: check.__doc__ for name, check in checks.items()} == {entry.id: entry.text for entry in ENTRIES}


def test_a_check_without_an_entry_is_refused() -> None:
    with pytest.raises(LookupError, match="does not stand in the catalogue"):
        registry.check("no-such-entry")(nothing)


def test_an_entry_is_not_checked_twice() -> None:
    with pytest.raises(LookupError, match="checked twice"):
        registry.check("filter-and")(nothing)


def test_an_entry_names_its_clause_its_resource_and_says_a_sentence() -> None:
    assert [entry.id for entry in ENTRIES if not re.match(r"\d(\.\d+)*|1\.x: ", entry.clause)] == []
    assert [entry.id for entry in ENTRIES if not entry.text.endswith(".")] == []
    known = {"any", "Collection", "JobCollection", "ResourceMetadata", "ResourceMetadataCollection", *words.SHAPES}
    assert [entry.id for entry in ENTRIES if entry.resource not in known] == []


def test_every_family_has_entries() -> None:
    assert {entry.family for entry in ENTRIES} == set(FAMILIES)


def test_every_type_of_the_standard_has_its_representation_looked_at() -> None:
    rare = {"SystemSystem", "SystemNetwork", "SystemNetworkPort", "SystemAddress", "SystemForwardingGroup"}
    missing = [kind for kind in words.SHAPES if f"{slug(kind)}-representation" not in catalogue()]
    assert set(missing) - rare - {"Disk", "CloudEntryPoint"} == set()


def test_a_document_survives_the_way_through_xml() -> None:
    content = {
        "name": "<one> & 'two'",
        "properties": {"a key": "a value"},
        "machineTemplate": {
            "initialState": "STOPPED",
            "machineConfig": {"cpu": 2, "memory": 1024, "disks": [{"capacity": 5, "format": "ext4"}]},
            "machineImage": {"href": "http://host/images/1"},
            "volumes": [{"href": "http://host/volumes/1", "initialLocation": "/dev/vdb"}],
        },
    }
    read = document(parse(encode("MachineCreate", content)))
    assert read == {"resourceURI": f"{words.NAMESPACE}/MachineCreate", **content}


def test_an_erased_attribute_is_an_empty_element() -> None:
    assert b"<userName/>" in encode("CredentialTemplate", {"userName": None})


def test_entities_are_never_expanded() -> None:
    bomb = (
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><Machine xmlns="http://schemas.dmtf.org/cimi/1"><name>&a;</name></Machine>'
    )
    assert document(parse(bomb)).get("name") != "aaaa"
