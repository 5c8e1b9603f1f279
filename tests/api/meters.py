"""What the tests of meters share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.api.client import ApiClient

ASPECT = "http://schemas.dmtf.org/cimi/1/aspect/"
Client = Callable[..., ApiClient]
Look = Callable[..., Awaitable[None]]


def create(aspect: str = "cpu", target: str | None = None, **config: Any) -> dict[str, Any]:
    template: dict[str, Any] = {"meterConfig": {"aspect": aspect, "sampleInterval": 10, **config}}
    if target is not None:
        template["targetResource"] = {"href": target}
    return {"name": aspect, "meterTemplate": template}


async def made(client: ApiClient, machine: str, aspect: str = "cpu", **config: Any) -> str:
    answer = await client.post(f"{machine}/meters", create(aspect, **config))
    assert answer.status == 201, answer.text
    return answer.location


async def samples(client: ApiClient, meter: str, query: str = "") -> list[float]:
    page = await client.document(f"{meter}/samples{query}")
    return [float(sample["value"]) for sample in page.get("samples", [])]
