"""All documents of a System in one value, so that two Systems can be compared member by member, in both formats."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

from tests.api.client import ApiClient

COLLECTIONS = (
    "systems",
    "machines",
    "credentials",
    "volumes",
    "networks",
    "networkPorts",
    "addresses",
    "forwardingGroups",
)
MADE_ANEW = frozenset({"id", "created", "updated", "operations", "operation", "eventLog"})
"""Members that no two resources have alike."""
TOLD = ("ovf.source", "ovf.ignored")
"""Properties that say where a System came from."""


class WholeSystem:
    """``urls`` are those of all its resources, with what stands for each in the comparison."""

    def __init__(self, admin: ApiClient, url: str, *more: str) -> None:
        self.urls: dict[str, str] = {}
        self.left_out = MADE_ANEW | set(more)
        self._admin = admin
        self._url = url

    async def found(self, client: ApiClient) -> dict[str, Any]:
        """By their names, the documents in the client's format."""
        await self._label(self._url, "system")
        documents = {}
        for url, label in list(self.urls.items()):
            answer = await client.get(url)
            assert answer.status == 200, answer.text
            read = answer.json if client.media == "json" else element(ElementTree.fromstring(answer.text))
            documents[label] = self._plain(read)
        return documents

    async def _label(self, url: str, label: str) -> None:
        self.urls[url] = label
        for collection in COLLECTIONS:
            listed = await self._admin.document(f"{url}/{collection}")
            for entry in entries(listed):
                [member] = [value["href"] for value in entry.values() if isinstance(value, dict) and "href" in value]
                called = f"{label}/{collection}/{entry.get('name', 'nameless')}"
                if collection == "systems":
                    await self._label(member, called)
                else:
                    await self._parts(member, called, collection)

    async def _parts(self, url: str, label: str, collection: str) -> None:
        self.urls[url] = label
        below = {"machines": ("disks", "volumes", "networkInterfaces"), "forwardingGroups": ("networks",)}
        for name in below.get(collection, ()):
            listed = await self._admin.document(f"{url}/{name}")
            for place, entry in enumerate(sorted(entries(listed), key=self._order)):
                self.urls[entry["id"]] = f"{label}/{name}/{place}"
                if name == "networkInterfaces":
                    await self._addresses(entry["addresses"]["href"], f"{label}/{name}/{place}")

    async def _addresses(self, url: str, label: str) -> None:
        for place, entry in enumerate((await self._admin.document(url)).get("machineNetworkInterfaceAddresses", [])):
            self.urls[entry["id"]] = f"{label}/addresses/{place}"
            self.urls.setdefault(entry["address"]["href"], f"{label}/addresses/{place}/address")

    def _order(self, entry: dict[str, Any]) -> str:
        return str(entry.get("initialLocation") or self.urls.get(entry.get("network", {}).get("href"), entry["id"]))

    def _plain(self, value: Any) -> Any:
        if isinstance(value, dict):
            kept = {key: entry for key, entry in value.items() if key not in self.left_out and key not in TOLD}
            return {key: found for key, entry in kept.items() if (found := self._plain(entry)) not in ({}, [])}
        if isinstance(value, list):
            return [self._plain(entry) for entry in value]
        if not isinstance(value, str):
            return value
        for url in sorted(self.urls, key=len, reverse=True):
            value = value.replace(url, self.urls[url])
        return value


def entries(listed: dict[str, Any]) -> list[dict[str, Any]]:
    """Of a collection."""
    lists = [value for key, value in listed.items() if isinstance(value, list) and key != "operations"]
    return lists[0] if lists else []


def element(found: ElementTree.Element) -> dict[str, Any]:
    """An element as what the comparison knows: by the names of its children, properties by their keys."""
    read: dict[str, Any] = dict(found.attrib)
    for child in found:
        name = child.tag.rpartition("}")[2]
        if name == "property":
            read[child.attrib["key"]] = child.text
        else:
            read.setdefault(name, []).append(element(child))
    if found.text and found.text.strip():
        read["#text"] = found.text
    return read


def shown(documents: dict[str, Any]) -> str:
    """For people who read why two are not equal."""
    return json.dumps(documents, indent=1, sort_keys=True)
