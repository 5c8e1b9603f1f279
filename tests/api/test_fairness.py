"""One project's many Jobs keep no other from its first one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from drivers.memory import MemoryDriver
from tests.api.client import ApiClient

pytestmark = pytest.mark.slow

Client = Callable[..., ApiClient]
MANY, WORKERS = 24, 8


def delayed(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def later(*arguments: Any, **named: Any) -> Any:
        await asyncio.sleep(0.1)
        return await call(*arguments, **named)

    return later


@pytest.fixture
def driver(driver: MemoryDriver) -> MemoryDriver:
    """A host that takes its time for what a create asks of it."""
    for part, call in ((driver.storage, "create_volume"), (driver.domains, "define"), (driver.domains, "start")):
        setattr(part, call, delayed(getattr(part, call)))
    return driver


async def started(client: ApiClient) -> int:
    return [entry["state"] for entry in (await client.document("machines"))["machines"]].count("STARTED")


async def test_a_create_does_not_wait_for_the_many_of_another_project(client: Client, image: str) -> None:
    crowd, other = client("operator"), client("other")
    document = crowd.machine(image)
    begun = await asyncio.gather(*(crowd.post("machines", document, Prefer="respond-async") for _ in range(MANY)))
    assert {answer.status for answer in begun} == {202}
    before = await started(crowd)
    assert (await other.post("machines", document, Prefer="wait=30")).status == 201
    assert await started(crowd) - before <= WORKERS
    for answer in begun:
        assert (await crowd.ended(answer.job))["state"] == "SUCCESS"
