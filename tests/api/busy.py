"""Jobs that begin and get no further while a test looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.app import Gateway


@asynccontextmanager
async def every_worker_taken(gateway: Gateway) -> AsyncIterator[None]:
    """Jobs are accepted, and none of their steps begins."""
    async with AsyncExitStack() as places:
        for _ in range(gateway.settings.jobs.workers):
            await places.enter_async_context(gateway.runner._workers.place(asyncio.Event()))
        yield
