"""Half a surrogate pair is no character: no text with one gets in, in either format, wherever it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.client import ApiClient

pytestmark = pytest.mark.slow

LONE = ("\\ud83d", "\\ude00", "a\\ud800b", "\\ude00\\ud83d")
PLACES: dict[str, tuple[str, str]] = {
    "name of a Credential": ("credentials", '{"name": "%s", "credentialTemplate": {"userName": "u"}}'),
    "user name": ("credentials", '{"credentialTemplate": {"userName": "%s", "password": "secret-1"}}'),
    "key": ("credentials", '{"credentialTemplate": {"userName": "u", "publicKey": "%s"}}'),
    "property": ("machineConfigs", '{"name": "c", "cpu": 1, "memory": 131072, "properties": {"a": "%s"}}'),
    "name of a property": ("machineConfigs", '{"name": "c", "cpu": 1, "memory": 131072, "properties": {"%s": "a"}}'),
    "name of a Machine": ("machines", '{"name": "%s", "machineTemplate": {"machineConfig": {"cpu": 1}}}'),
    "user data": ("machines", '{"machineTemplate": {"userData": "%s", "machineConfig": {"cpu": 1}}}'),
    "host name": ("addresses", '{"addressTemplate": {"hostname": "%s"}}'),
    "name of a Network": ("networks", '{"name": "%s", "networkTemplate": {"networkConfig": {}}}'),
    "name of a Volume": ("volumes", '{"name": "%s", "volumeTemplate": {"volumeConfig": {"capacity": 1000}}}'),
    "location of an image": ("machineImages", '{"name": "i", "imageLocation": "file:///%s"}'),
    "member that nobody knows": ("credentials", '{"%s": "x"}'),
}


@pytest.mark.parametrize("lone", LONE)
@pytest.mark.parametrize("place", PLACES)
async def test_half_a_pair_in_json_is_refused(place: str, lone: str, admin: ApiClient) -> None:
    collection, document = PLACES[place]
    answer = await admin.post(collection, (document % lone).encode(), Content_Type="application/json")
    assert answer.status == 400, answer.text
    assert "control character" in answer.text


@pytest.mark.parametrize("reference", ["&#xD83D;", "&#55357;", "&#xD83D;&#xDE00;", "&#xDFFF;"])
async def test_half_a_pair_in_xml_is_refused(reference: str, client: Callable[..., ApiClient]) -> None:
    admin = client("admin", "xml")
    document = f'<CredentialCreate xmlns="http://schemas.dmtf.org/cimi/1"><name>{reference}</name></CredentialCreate>'
    answer = await admin.post("credentials", document.encode(), Content_Type="application/xml")
    assert answer.status == 400, answer.text


@pytest.mark.parametrize("bytes_", [b"\xed\xa0\xbd", b"\xed\xb8\x80", b"\xed\xa0\xbd\xed\xb8\x80"])
@pytest.mark.parametrize("media", ["json", "xml"])
async def test_half_a_pair_in_bytes_is_refused(media: str, bytes_: bytes, client: Callable[..., ApiClient]) -> None:
    document: dict[str, Any] = {
        "json": b'{"name": "%s", "credentialTemplate": {"userName": "u"}}' % bytes_,
        "xml": b'<CredentialCreate xmlns="http://schemas.dmtf.org/cimi/1"><name>%s</name></CredentialCreate>' % bytes_,
    }
    answer = await client("admin", media).post("credentials", document[media], Content_Type=f"application/{media}")
    assert answer.status == 400, answer.text


async def test_a_whole_pair_in_json_is_one_character(admin: ApiClient) -> None:
    document = rb'{"name": "\ud83d\ude00", "credentialTemplate": {"userName": "u", "password": "secret-1"}}'
    answer = await admin.post("credentials", document, Content_Type="application/json")
    assert answer.status == 201, answer.text
    assert (await admin.document(answer.location))["name"] == "\U0001f600"
