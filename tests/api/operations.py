"""What a resource offers to be done with it."""

from __future__ import annotations

from tests.api.client import ApiClient


async def verbs(client: ApiClient, url: str) -> set[str]:
    document = await client.document(url)
    return {entry["rel"].rpartition("/")[2] for entry in document.get("operations", [])}


async def rels(client: ApiClient, url: str) -> set[str]:
    """The operations by their whole names, URIs of actions included."""
    return {entry["rel"] for entry in (await client.document(url)).get("operations", [])}
