"""What the tests of VolumeImages share."""

from __future__ import annotations

from typing import Any

from tests.api.client import ApiClient

MIB = 1024**2


async def image_of(client: ApiClient, volume: str, **more: Any) -> str:
    made = await client.post("volumeImages", {"imageLocation": volume, **more})
    assert made.status == 201, made.text
    return made.location


async def entries(client: ApiClient, volume: str) -> list[dict[str, Any]]:
    return list((await client.document(f"{volume}/images")).get("volumeVolumeImages", []))


async def connected(admin: ApiClient, machine: str, volume: str) -> str:
    made = await admin.post(f"{machine}/volumes", {"volume": {"href": volume}})
    assert made.status == 201, made.text
    return made.location


def valued(location: str, capacity: int | None = None, **more: Any) -> dict[str, Any]:
    config = {"volumeConfig": {"capacity": capacity}} if capacity else {}
    return {"volumeTemplate": {**config, "volumeImage": {"imageLocation": location, **more}}}
