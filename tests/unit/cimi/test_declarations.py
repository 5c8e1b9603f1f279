"""Every declared attribute of every type, in both formats, against the official schema."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from lxml import etree

from gateway.cimi import json_codec, xml_codec
from gateway.cimi.dialects import CIMI_1, EXTENSION_NAMESPACE, EXTENSION_TYPES
from gateway.cimi.documents import write_collection, write_resource
from gateway.cimi.edge import Edge
from gateway.cimi.fields import String
from gateway.cimi.metadata import describe
from gateway.cimi.references import Array, Ref, inward, load
from gateway.cimi.registry import TYPES
from tests.official_schema import official_schema, without_slips
from tests.unit.cimi.samples import EDGE_ATTRIBUTES, SAMPLES

EDGE = Edge("http://host/cimi/", CIMI_1)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KINDS = sorted(TYPES)


def wire(kind: str, document: dict[str, Any] | None = None) -> dict[str, Any]:
    described = TYPES[kind]
    times = (NOW, NOW) if "created" in described.attributes else None
    path = f"{described.segment}/1" if described.parent is None else f"machines/1/{described.segment}/1"
    plain = (("edit", described.editable), ("delete", described.deletable))
    verbs = (*(verb for verb, offered in plain if offered), *(action.verb for action in described.actions))
    return EDGE.resource(described, path, SAMPLES[kind] if document is None else document, times, verbs)


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    return official_schema()


@pytest.mark.parametrize("kind", KINDS)
def test_the_samples_exercise_every_declared_attribute(kind: str) -> None:
    described = TYPES[kind]
    derived = set(described.collections) | EDGE_ATTRIBUTES
    assert set(SAMPLES[kind]) | derived >= set(described.attributes)


@pytest.mark.parametrize("kind", KINDS)
def test_json_shows_every_attribute_but_the_write_only_ones(kind: str) -> None:
    shown = json.loads(write_resource(TYPES[kind], wire(kind), "json", EDGE))
    secret = {name for name, field in TYPES[kind].attributes.items() if field.write_only}
    assert set(SAMPLES[kind]) - secret <= set(shown)
    assert not secret & set(shown)


@pytest.mark.parametrize("kind", KINDS)
def test_xml_says_what_json_says(kind: str) -> None:
    described = TYPES[kind]
    name, content = xml_codec.decode(write_resource(described, wire(kind), "xml", EDGE))
    assert name == kind
    elements = {field.element for field in described.attributes.values()}
    known = {key: value for key, value in content.items() if key.rpartition(":")[2] in elements}
    raw = xml_codec.raw(described.attributes, known)
    loaded = inward(described.attributes, load(described.schema, described.attributes, raw), EDGE.to_path)
    expected = {
        name: value
        for name, value in SAMPLES[kind].items()
        if described.attributes[name].in_xml and not described.attributes[name].write_only
    }
    assert {name: loaded[name] for name in expected} == expected


@pytest.mark.parametrize("kind", sorted(set(KINDS) - EXTENSION_TYPES))
def test_the_xml_validates_against_the_official_schema(kind: str, schema: etree.XMLSchema) -> None:
    root = without_slips(etree.fromstring(write_resource(TYPES[kind], wire(kind), "xml", EDGE)))
    assert schema.validate(root), schema.error_log


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "CloudEntryPoint"])
def test_collections_validate_against_the_official_schema(kind: str, schema: etree.XMLSchema) -> None:
    item = wire(kind)
    shown = EDGE.collection(TYPES[kind], TYPES[kind].segment, [item, item], 2, ("add",))
    root = without_slips(etree.fromstring(write_collection(TYPES[kind], shown, "xml", EDGE)))
    assert schema.validate(root), schema.error_log


@pytest.mark.parametrize("kind", sorted(EXTENSION_TYPES))
def test_a_type_of_the_providers_own_is_wholly_in_its_own_namespace(kind: str) -> None:
    root = etree.fromstring(write_resource(TYPES[kind], wire(kind), "xml", EDGE))
    assert {etree.QName(element).namespace for element in root.iter()} == {EXTENSION_NAMESPACE}
    assert wire(kind)["resourceURI"] == f"{EXTENSION_NAMESPACE}/{kind}"


def test_json_and_xml_bytes_are_utf_8() -> None:
    document = {"name": "ö€"}
    assert "ö€".encode() in write_resource(TYPES["Machine"], wire("Machine", document), "json", EDGE)
    assert "ö€".encode() in write_resource(TYPES["Machine"], wire("Machine", document), "xml", EDGE)


def test_json_decoding_refuses_what_xml_could_not_show() -> None:
    with pytest.raises(Exception, match="control character"):
        json_codec.decode(b'{"name": "\\u0000"}')


def test_metadata_is_of_no_dialect_until_the_edge_writes_it() -> None:
    document = describe(TYPES["Machine"], {})
    assert "schemas.dmtf.org" not in json.dumps(document)
    later = Edge(EDGE.base, replace(CIMI_1, namespace="http://schemas.dmtf.org/cimi/2"))
    shown = later.resource(TYPES["ResourceMetadata"], "resourceMetadata/Machine", document, None, ())
    assert shown["typeURI"] == "http://schemas.dmtf.org/cimi/2/Machine"
    capabilities = {entry["name"]: entry["uri"] for entry in shown["capabilities"]}
    assert capabilities["UserData"] == "http://schemas.dmtf.org/cimi/2/capability/Machine/UserData"
    actions = {entry["name"]: entry["uri"] for entry in shown["actions"]}
    assert actions["start"] == "http://schemas.dmtf.org/cimi/2/action/start"
    assert actions["console"] == f"{EXTENSION_NAMESPACE}/action/console"


class ExtendedSchema(TYPES["Machine"].schema):  # type: ignore[misc]
    plain = String(extension=True)
    link = Ref("Machine", extension=True)
    texts = Array(String(), item="text", extension=True)


def test_a_providers_own_attributes_stand_in_its_own_namespace_after_the_operations(schema: etree.XMLSchema) -> None:
    described = replace(TYPES["Machine"], schema=ExtendedSchema)
    document = {"plain": "x", "link": {"href": "machines/2"}, "texts": ["a", "b"]}
    shown = EDGE.resource(described, "machines/1", document, (NOW, NOW), ("edit",))
    root = etree.fromstring(write_resource(described, shown, "xml", EDGE))
    assert schema.validate(root), schema.error_log
    own = [element.tag for element in root if element.tag.startswith(f"{{{EXTENSION_NAMESPACE}}}")]
    assert [etree.QName(tag).localname for tag in own] == ["plain", "link", "text", "text"]
    _, content = xml_codec.decode(etree.tostring(root))
    raw = xml_codec.raw(described.attributes, {key: content[key] for key in ("plain", "link", "text")})
    assert inward(described.attributes, load(described.schema, described.attributes, raw), EDGE.to_path) == document
