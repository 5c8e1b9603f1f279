"""A store that an earlier version left behind is opened, migrated, read, and its interrupted Jobs are run on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.base import DomainFacts, Power
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.jobs.runner import JobRunner
from gateway.store.sealing import holds_sealed
from tests.api.client import ApiClient
from tests.golden.determined import determined
from tests.golden.documents import MEDIA, bodies, different
from tests.golden.stage import BASE, HOME, furnish, opened
from tests.golden.stores import every_store, places_of, restore

AS_IT_WAS = pytest.mark.usefixtures("nothing_goes_on")
EVERY_STORE = pytest.mark.parametrize("store", every_store(), ids=lambda path: path.name)
Clients = Callable[..., ApiClient]


class AwayDriver(MemoryDriver):
    """A hypervisor that does not answer: what is known of it stays as the store has it."""

    async def open(self) -> None:
        """It does not come."""


@asynccontextmanager
async def left_behind(store: Path, home: Path, driver: MemoryDriver) -> AsyncIterator[tuple[Gateway, Clients]]:
    """A gateway of today on a copy of the store."""
    await asyncio.to_thread(furnish, home)
    await asyncio.to_thread(restore, store, home)
    with determined():
        async with opened(home, driver) as (gateway, session):
            yield gateway, lambda user, media="json": ApiClient(session, BASE, user, media)


@pytest.fixture
def nothing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was interrupted stays so."""

    async def left(_runner: JobRunner) -> None:
        """Take up none."""

    monkeypatch.setattr(JobRunner, "recover", left)


@AS_IT_WAS
@EVERY_STORE
async def test_every_resource_is_read_with_its_secrets(store: Path, tmp_path: Path) -> None:
    async with left_behind(store, tmp_path, AwayDriver()) as (gateway, _):
        assert gateway.store.lost == {}
        paths = [path for (path,) in await gateway.store.fetch("SELECT path FROM resources")]
        assert len(paths) > 100
        for path in paths:
            resource = await gateway.store.get(path)
            assert resource is not None and resource.path == path
            assert not holds_sealed(resource.internal)


@AS_IT_WAS
@EVERY_STORE
@pytest.mark.parametrize("media", MEDIA)
async def test_every_resource_is_served(store: Path, media: str, tmp_path: Path) -> None:
    async with left_behind(store, tmp_path, AwayDriver()) as (gateway, client):
        rows = await gateway.store.fetch("SELECT path FROM resources ORDER BY path")
        admin = client("admin", media)
        assert [(path, status) for (path,) in rows if (status := (await admin.get(path)).status) != 200] == []


@AS_IT_WAS
@EVERY_STORE
@pytest.mark.parametrize("media", MEDIA)
async def test_every_document_of_it_is_served(store: Path, media: str, tmp_path: Path) -> None:
    async with left_behind(store, tmp_path, AwayDriver()) as (_, client):
        assert set(await bodies(client("operator", media), places_of(store)))


@AS_IT_WAS
@pytest.mark.parametrize("media", MEDIA)
async def test_the_newest_store_is_served_as_when_it_was_filled(media: str, tmp_path: Path) -> None:
    newest = every_store()[-1]
    async with left_behind(newest, tmp_path, AwayDriver()) as (_, client):
        read = await bodies(client("operator", media), places_of(newest))
    assert different({name: body.replace(str(tmp_path), HOME) for name, body in read.items()}) == []


@EVERY_STORE
async def test_jobs_that_were_interrupted_are_run_on(store: Path, tmp_path: Path) -> None:
    """One that was stopping is undone, and one that ran comes to its end: the stop of a Machine."""
    driver, places = MemoryDriver(), places_of(store)
    identity = places["Machine.stopping"].rpartition("/")[2]
    driver.state.domains[identity] = DomainFacts(identity, f"cimi-{identity}", Power.RUNNING, "", True, 1, 131072)
    async with left_behind(store, tmp_path, driver) as (_, client):
        ends = [(await client("admin").ended(places[f"Job.{state}"]))["state"] for state in ("RUNNING", "STOPPING")]
    assert ends == ["SUCCESS", "STOPPED"]
