"""An empty string in JSON and an empty element in XML say the same of every declared attribute: absence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from marshmallow import Schema

from gateway.cimi.documents import ActionSchema
from gateway.cimi.fields import Attribute
from gateway.cimi.references import Array, RefOrValue, Structure, load, schema_fields
from gateway.cimi.registry import CREATE_SCHEMAS, TYPES
from gateway.cimi.xml_members import raw_from_xml

SchemaClass = type[Schema]


def within(field: Attribute) -> Iterator[SchemaClass]:
    entry = field.entry if isinstance(field, Array) else field
    if isinstance(entry, Structure):
        yield entry.schema


def schemas() -> list[SchemaClass]:
    """Every schema that a document, or a part of one, is read by."""
    pending: list[SchemaClass] = [
        *(declared.schema for declared in TYPES.values()), *CREATE_SCHEMAS.values(), ActionSchema
    ]  # fmt: skip
    reached: list[SchemaClass] = []
    while pending:
        schema = pending.pop()
        if schema not in reached:
            reached.append(schema)
            pending += [inner for field in schema_fields(schema).values() for inner in within(field)]
    return reached


SCHEMAS = [pytest.param(schema, id=schema.__name__) for schema in schemas()]
CONTENTS: tuple[dict[str, str] | None, ...] = (
    None, {"@xmlns": "http://schemas.dmtf.org/cimi/1"}, {"@xmlns:c": "urn:x"}
)  # fmt: skip
"""What an empty element comes to, also one that declares a namespace."""


def read(schema: SchemaClass, raw: dict[str, object]) -> dict[str, object]:
    return load(schema, schema_fields(schema), raw)


def test_all_schemas_are_reached() -> None:
    reached = {schema.__name__ for schema in schemas()}
    assert {"MachineCreateSchema", "ConfigurationDiskSchema", "TemplateInterfaceSchema", "ActionSchema"} <= reached
    assert sum(len(schema_fields(schema)) for schema in schemas()) > 400


@pytest.mark.parametrize("schema", SCHEMAS)
def test_an_empty_string_in_json_says_that_an_attribute_is_absent(schema: SchemaClass) -> None:
    for name, field in schema_fields(schema).items():
        expected: object = {} if isinstance(field, RefOrValue) and field.mandatory else None
        assert read(schema, {name: ""}) == {name: expected}, name


@pytest.mark.parametrize("schema", SCHEMAS)
def test_an_empty_element_says_what_an_empty_string_says(schema: SchemaClass) -> None:
    members = schema_fields(schema)
    for name, field in members.items():
        for content in CONTENTS:
            raw = raw_from_xml(members, {field.element: content})
            assert read(schema, raw) == read(schema, {name: ""}), (name, content)


def test_the_value_of_a_property_may_be_empty() -> None:
    members = schema_fields(TYPES["Machine"].schema)
    in_xml = raw_from_xml(members, {"property": {"@key": "note"}})
    assert read(TYPES["Machine"].schema, in_xml) == {"properties": {"note": ""}}
    assert read(TYPES["Machine"].schema, {"properties": {"note": ""}}) == {"properties": {"note": ""}}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_structure_whose_members_are_all_empty_says_what_an_empty_one_says(schema: SchemaClass) -> None:
    """Forms of clients send every member, also those that nobody may read back."""
    for name, field in schema_fields(schema).items():
        if isinstance(field, RefOrValue):
            blank = {member: "" for member, one in field.members.items() if one.writable or one.at_create}
            assert read(schema, {name: blank}) == read(schema, {name: ""}), name
