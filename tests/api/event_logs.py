"""What the tests of event logs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.api.client import ApiClient
from tests.patience import eventually

EVENT = "http://schemas.dmtf.org/cimi/1/event/"
Client = Callable[..., ApiClient]


async def log_of(client: ApiClient, url: str) -> str:
    return str((await client.document(url))["eventLog"]["href"])


async def events(client: ApiClient, log: str, query: str = "") -> list[dict[str, Any]]:
    return list((await client.document(f"{log}/events{query}")).get("events", []))


async def everything(client: ApiClient, query: str = "") -> list[dict[str, Any]]:
    return await events(client, "eventLogs/everything", query)


def of_type(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in found if event["type"] == EVENT + kind]


def states(found: list[dict[str, Any]], kind: str = "Machine") -> list[tuple[str | None, str]]:
    told = [event["content"] for event in of_type(found, "state")]
    return [(entry.get("previous"), entry["state"]) for entry in told if entry["resType"].endswith(f"/{kind}")]


async def until(condition: Callable[[], Any], what: str) -> Any:
    return await eventually(condition, what)
