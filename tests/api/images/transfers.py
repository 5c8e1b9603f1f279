"""What the tests of images share: bytes, and the ways that they go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from demo.basic_auth import basic_auth
from drivers.memory import MemoryDriver
from tests.api.client import Answer, ApiClient

EXTENSION = "http://cimi-gateway.org/ns/1"
RAW = b"\xfa" * 510 + b"\x55\xaa" + os.urandom(586 * 512)
OCTETS = "application/octet-stream"


def operation(document: dict[str, Any], verb: str) -> str | None:
    found = [entry["href"] for entry in document.get("operations", []) if entry["rel"] == f"{EXTENSION}/action/{verb}"]
    return found[0] if found else None


async def waiting(admin: ApiClient, size: int = len(RAW), **more: Any) -> dict[str, Any]:
    """An image that waits for so many bytes."""
    made = await admin.post("machineImages", {"name": "up", "size": size, **more})
    assert made.status == 201, made.text
    return made.json


async def put(client: ApiClient, href: str, data: Any, **headers: str) -> Answer:
    return await client.request("PUT", href, data, Content_Type=OCTETS, **headers)


async def bytes_of(client: ApiClient, href: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    auth = {"Authorization": basic_auth(client.user, client.password), **headers}
    async with client.session.get(href, headers=auth) as answer:
        return answer.status, await answer.read(), {name.lower(): value for name, value in answer.headers.items()}


def stored(driver: MemoryDriver) -> list[bytes]:
    return list(driver.state.contents.values())


def left(staging: Path) -> list[str]:
    return sorted(str(path.relative_to(staging)) for path in staging.rglob("*")) if staging.is_dir() else []


def age(staging: Path) -> None:
    """As if nothing had been written for years."""
    for path in staging.rglob("*"):
        os.utime(path, (1, 1))
