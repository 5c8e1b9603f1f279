"""What the tests of snapshots and captures share."""

from __future__ import annotations

from typing import Any

from tests.api.client import Answer, ApiClient
from tests.urls import uuid_of


async def snapshot(client: ApiClient, machine: str, **document: object) -> str:
    """URL of a finished snapshot."""
    answer = await client.post(f"{machine}/snapshot", document)
    assert answer.status == 201, answer.text
    return answer.location


async def related(client: ApiClient, image: str) -> str | None:
    href: str | None = (await client.document(image)).get("relatedImage", {}).get("href")
    return href


async def latest(client: ApiClient, machine: str) -> str | None:
    href: str | None = (await client.document(machine)).get("latestSnapshot", {}).get("href")
    return href


async def listed(client: ApiClient, machine: str) -> list[str]:
    collection = await client.document(f"{machine}/snapshots")
    return [entry["snapshot"]["href"] for entry in collection.get("machineSnapshots", [])]


async def make_uefi(gateway: object, machine: str) -> None:
    store = gateway.store  # type: ignore[attr-defined]
    path = "machines/" + uuid_of(machine)
    async with store.transaction() as transaction:
        await transaction.update((await transaction.get(path)).with_internal(uefi=True))


async def refused(answer: Answer, status: int, words: str) -> None:
    assert answer.status == status, answer.text
    assert words in answer.message


def volume_create(**configuration: str) -> dict[str, Any]:
    return {"volumeTemplate": {"volumeConfig": {"type": "mapped", "capacity": 1000, **configuration}}}
