"""What is read of a body: references as paths, actions however they are spelled, text that never breaks a document."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from gateway.cimi.dialects import CIMI_1
from gateway.cimi.documents import read_action, read_create, write_resource
from gateway.cimi.edge import Edge
from gateway.cimi.json_codec import encode
from gateway.cimi.registry import TYPES
from gateway.errors import Invalid

EDGE = Edge("https://host:8443/cimi/", CIMI_1)


@pytest.mark.parametrize(
    "document",
    [{}, {"a": []}, {"a": [], "b": {"c": [1]}}, {"ö": ["ü", "\ud800", None, True, {"k": [{}]}, [1, [2]]], '"': '"'}],
)
def test_json_that_is_written_entry_by_entry_is_the_same(document: dict[str, Any]) -> None:
    whole = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    assert encode(document) == whole


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("https://host:8443/cimi/machines/1", "machines/1"),
        (" https://host:8443/cimi/machines/1/ ", "machines/1"),
        ("http://host:8443/cimi/machines/1", "machines/1"),
        ("/cimi/machines/1", "machines/1"),
        ("machines/1", "machines/1"),
        ("machines/a%20b", "machines/a b"),
        ("https://host:8443/cimi/", "cloudEntryPoint"),
    ],
)
def test_absolute_rooted_and_relative_uris_name_the_same_path(uri: str, path: str) -> None:
    assert EDGE.to_path(uri) == path


@pytest.mark.parametrize(
    "uri",
    ["", "/", "https://other/cimi/machines/1", "https://host:8443/else/1", "/machines/1",
     "machines/../jobs/1", "machines/%2e%2e/x", "machines/1?x=y", "http://[", "file:///etc/passwd", "x" * 2000],
)  # fmt: skip
def test_everything_else_is_no_resource_of_ours(uri: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        EDGE.to_path(uri)


@pytest.mark.parametrize(
    "body",
    [
        b'{"image": {"href": "machineImages/1"}}',
        b'{"image": "https://host:8443/cimi/machineImages/1"}',
        b'<Action><image href="machineImages/1"/></Action>',
        b"<Action><image> /cimi/machineImages/1 </image></Action>",
    ],
)
def test_the_image_of_an_action_may_be_a_reference_or_a_bare_uri(body: bytes) -> None:
    media = "xml" if body.startswith(b"<") else "json"
    assert read_action(body, media, EDGE).parameters == {"image": {"href": "machineImages/1"}}


@pytest.mark.parametrize(
    "body",
    [b'{"disks": [null]}', b'{"disks": [{"capacity": 1}, null]}', b'{"disks": [[]]}', b'{"disks": "x"}'],
)
def test_empty_entries_of_arrays_are_refused_by_their_place(body: bytes) -> None:
    with pytest.raises(Invalid, match=r"^disks\.[01]: "):
        read_create("MachineConfiguration", body, "json", EDGE)


def test_a_location_within_the_gateway_is_a_path_inside_and_a_uri_outside() -> None:
    for uri, inside in (
        ("https://host:8443/cimi/machines/1", "machines/1"),
        ("file:///images/x.qcow2", "file:///images/x.qcow2"),
        ("/images/x.qcow2", "/images/x.qcow2"),
        ("https://elsewhere/x.qcow2", "https://elsewhere/x.qcow2"),
    ):
        document = read_create("MachineImage", json.dumps({"imageLocation": uri}).encode(), "json", EDGE)
        assert document["imageLocation"] == inside
        shown = EDGE.resource(TYPES["MachineImage"], "machineImages/1", document, None, ())
        assert shown["imageLocation"] == uri


def test_what_xml_cannot_hold_is_replaced_and_never_breaks_the_document() -> None:
    text = "\x00\x1b[1m\ud800\ufffe<&>\r\n\tok"
    wire = {"id": "", "statusMessage": text, "properties": {text: text}}
    root = ElementTree.fromstring(write_resource(TYPES["Job"], wire, "xml", EDGE))
    message = root.findtext("{http://schemas.dmtf.org/cimi/1}statusMessage")
    assert message == "\ufffd\ufffd[1m\ufffd\ufffd<&>\r\n\tok"
    assert json.loads(write_resource(TYPES["Job"], wire, "json", EDGE))["statusMessage"].endswith("ok")


@pytest.mark.parametrize("media", ["json", "xml"])
def test_what_a_stored_template_erases_is_not_shown(media: str) -> None:
    inner = {"href": "machineConfigs/1", "disks": None, "cpuArch": None}
    body = {"machineConfig": inner, "machineImage": {"href": "machineImages/1", "imageLocation": None}}
    document = read_create("MachineTemplate", json.dumps(body).encode(), "json", EDGE)
    assert document["machineConfig"]["disks"] is None
    wire = EDGE.resource(TYPES["MachineTemplate"], "machineTemplates/1", document, None, ())
    text = write_resource(TYPES["MachineTemplate"], wire, media, EDGE).decode()
    assert "machineConfigs/1" in text
    assert not any(word in text for word in ("disk", "null", "None", "imageLocation"))


@pytest.mark.parametrize("reference", [{"href": ""}, {"href": "  "}, {}, {"href": None}])
def test_a_reference_to_nothing_is_refused_by_name(reference: dict[str, str | None]) -> None:
    body = json.dumps({"networkInterfaces": [{"network": reference}]}).encode()
    with pytest.raises(Invalid, match=r"^networkInterfaces\.0\.network: must be a reference"):
        read_create("MachineTemplate", body, "json", EDGE)


def test_empty_structures_of_a_list_say_nothing_and_stay() -> None:
    body = b"<MachineTemplate><networkInterface/><networkInterface><mtu>1500</mtu></networkInterface></MachineTemplate>"
    assert read_create("MachineTemplate", body, "xml", EDGE)["networkInterfaces"] == [{}, {"mtu": 1500}]
