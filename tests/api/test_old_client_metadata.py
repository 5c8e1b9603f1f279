"""ResourceMetadata as clients of 1.0 look for it, in JSON, and without that where the configuration says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway import config
from tests.api.client import ApiClient

Clients = Callable[..., ApiClient]
MACHINE = "http://schemas.dmtf.org/cimi/1/Machine"


async def test_the_items_stand_under_both_names(admin: ApiClient) -> None:
    listed = await admin.document("resourceMetadata")
    assert listed["resourceMetadata"] == listed["resourceMetadatas"]
    assert listed["count"] == len(listed["resourceMetadata"])


async def test_each_says_its_type_in_both_spellings(admin: ApiClient) -> None:
    for entry in (await admin.document("resourceMetadata"))["resourceMetadata"]:
        assert entry["typeUri"] == entry["typeURI"]
    assert (await admin.document("resourceMetadata/Machine"))["typeUri"] == MACHINE


async def test_the_machines_entry_is_first(client: Clients) -> None:
    listed = await client("viewer").document("resourceMetadata")
    assert listed["resourceMetadata"][0]["typeURI"] == MACHINE
    root = (await client("viewer", "xml").get("resourceMetadata?$last=1")).xml
    assert root.findtext(".//{http://schemas.dmtf.org/cimi/1}typeURI") == MACHINE


async def test_both_names_go_with_a_selection_and_a_page(admin: ApiClient) -> None:
    listed = await admin.document("resourceMetadata?$select=typeUri,name&$last=2")
    assert listed["resourceMetadata"] == listed["resourceMetadatas"]
    assert [set(entry) for entry in listed["resourceMetadata"]] == [{"resourceURI", "typeUri", "name"}] * 2
    assert "resourceMetadata" not in await admin.document("resourceMetadata?$last=0")


async def test_both_names_stand_in_an_expanded_entry_point(admin: ApiClient) -> None:
    expanded = (await admin.document("?$expand=resourceMetadata"))["resourceMetadata"]
    assert expanded["resourceMetadata"] == expanded["resourceMetadatas"]


@pytest.mark.parametrize("url", ["resourceMetadata", "resourceMetadata/Machine", "?$expand=resourceMetadata"])
async def test_xml_says_it_once_as_the_schema_has_it(client: Clients, url: str) -> None:
    answer = await client("admin", "xml").get(url)
    assert answer.status == 200
    assert "<typeUri" not in answer.text
    assert "<typeURI" in answer.text


class TestWithoutDeltacloud:
    @pytest.fixture
    def settings(self, settings: config.Settings) -> config.Settings:
        return replace(settings, compatibility=config.CompatibilitySettings(deltacloud=False))

    async def test_there_is_one_name(self, admin: ApiClient) -> None:
        listed = await admin.document("resourceMetadata")
        assert "resourceMetadata" not in listed
        entries: list[dict[str, Any]] = listed["resourceMetadatas"]
        assert not any("typeUri" in entry for entry in entries)

    async def test_there_is_one_name_in_an_expanded_entry_point(self, admin: ApiClient) -> None:
        expanded = (await admin.document("?$expand=resourceMetadata"))["resourceMetadata"]
        assert set(expanded) & {"resourceMetadata", "resourceMetadatas"} == {"resourceMetadatas"}
