"""A store of its own for each test, and a runner over it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.jobs.runner import JobRunner
from gateway.store.store import Store
from tests.unit.jobs.recorded import runner_of


@pytest.fixture
def done() -> list[str]:
    return []


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "jobs.db")
    yield opened
    await opened.close()


@pytest.fixture
def runner(store: Store, done: list[str]) -> JobRunner:
    return runner_of(store, done)
