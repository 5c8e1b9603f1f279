"""A create that is sent again with its Idempotency-Key gets its first answer, whatever has happened meanwhile.

Over every addable type and every action that makes something, as the declarations have them, in both formats.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from drivers.base import DriverFailed
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.cimi.registry import TYPES, type_at
from gateway.orchestration.common import first_answers
from gateway.orchestration.common.contract import Outcome
from gateway.store.store import UNDER_WAY
from gateway.store.transaction import Transaction
from tests.api.busy import every_worker_taken
from tests.api.client import Answer, ApiClient
from tests.api.creates import CREATES, MEDIA, Create, Request, references
from tests.api.world import World

pytestmark = pytest.mark.slow

AT_ONCE = {"Prefer": "respond-async"}
ENDED = {"Prefer": "wait=30"}
ENDED_WELL = (200, 201)
"""An action whose Job has ended is answered 200, a create 201."""
every_create = pytest.mark.parametrize("create", CREATES, ids=str)


def essence(answer: Answer) -> tuple[int, str | None, str | None]:
    """What two answers to one create have in common while its Job's state is the same."""
    return answer.status, *lasting(answer)


def lasting(answer: Answer) -> tuple[str | None, str | None]:
    """What they have in common whatever has become of its Job: what was made, and the Job."""
    return answer.headers.get("location"), answer.headers.get("cimi-job-uri")


async def made(request: Request, client: ApiClient) -> Answer:
    answer = await request.send(**ENDED)
    assert answer.status in ENDED_WELL, answer.text
    assert (await client.ended(answer.job))["state"] == "SUCCESS"
    return answer


async def demand_the_same(request: Request, first: Answer) -> None:
    again = await request.send(**ENDED)
    assert essence(again) == essence(first), f"{request.client.media}: {again.text}"


def path_of(client: ApiClient, url: str) -> str:
    return url.removeprefix(client.base)


def concerned(request: Request) -> Iterator[str]:
    """The resources that the request is about: those it names, and those that its URL stands below."""
    path = request.url
    while "/" in path:
        path = path.rpartition("/")[0]
        if type_at(path) is not None:
            yield path
    for uri in references(request.document):
        yield path_of(request.client, uri)


@every_create
async def test_while_its_job_waits(create: Create, world: World, gateway: Gateway, admin: ApiClient) -> None:
    for media in MEDIA:
        request = await create.request(world, media)
        async with every_worker_taken(gateway):
            first = await request.send(**AT_ONCE)
            assert first.status in (201, 202), first.text
            assert essence(await request.send(**AT_ONCE)) == essence(first), media
        assert (await admin.ended(first.job))["state"] == "SUCCESS"
        later = await request.send(**ENDED)
        assert (lasting(later), later.status // 100) == (lasting(first), 2), f"{media}: {later.text}"
        assert create.action is not None or later.status == 201, f"{media}: {later.text}"
        await demand_the_same(request, later)


def test_nested_creates_and_actions_are_among_them() -> None:
    names = {str(create) for create in CREATES}
    links = {"MachineNetworkInterface", "MachineNetworkInterfaceAddress", "ForwardingGroupNetwork", "Address"}
    assert names >= links | {"Machine-capture", "Machine-snapshot", "System-import", "System-export", "Volume-snapshot"}


@every_create
async def test_of_two_at_once(create: Create, world: World) -> None:
    for media in MEDIA:
        request = await create.request(world, media)
        first, second = await asyncio.gather(*(request.send(**ENDED) for _ in range(2)))
        assert first.status in ENDED_WELL, first.text
        assert essence(first) == essence(second), f"{media}: {second.text}"


async def _busy(transaction: Transaction, path: str) -> None:
    """The most that can be under way with it."""
    resource = await transaction.get(path)
    if resource is not None and "state" in TYPES[resource.kind].attributes:
        await transaction.update(resource.with_document(state="DELETING").held("jobs/another"))


@every_create
async def test_while_all_that_it_is_about_is_busy(
    create: Create, world: World, gateway: Gateway, admin: ApiClient
) -> None:
    for media in MEDIA:
        request = await create.request(world, media)
        first = await made(request, admin)
        async with gateway.store.transaction() as transaction:
            for path in concerned(request):
                await _busy(transaction, path)
        await demand_the_same(request, first)
        world.forget()


def blind_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next request look at its key as if the one before it was not written yet."""
    look, looks = first_answers._first_answer_so_far, count()

    async def first_answer_so_far(*arguments: Any) -> Outcome | None:
        return await look(*arguments) if next(looks) else None

    monkeypatch.setattr(first_answers, "_first_answer_so_far", first_answer_so_far)


@every_create
async def test_of_two_at_once_whose_first_keeps_all_busy(
    create: Create, world: World, gateway: Gateway, admin: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for media in MEDIA:
        request = await create.request(world, media)
        first = await made(request, admin)
        async with gateway.store.transaction() as transaction:
            for path in concerned(request):
                await _busy(transaction, path)
        with monkeypatch.context() as patched:
            blind_once(patched)
            await demand_the_same(request, first)
        world.forget()


def _moved(directory: Path, name: str) -> Path:
    return directory.rename(directory.with_name(name))


async def _demand_told_gone(request: Request, path: str) -> None:
    """What was made has gone along, as a Meter does with what it measures."""
    again = await request.send(**ENDED)
    assert again.status == 409
    assert f"this Idempotency-Key made {path}, which was deleted since" in again.text


@every_create
async def test_after_what_it_referred_to_is_gone(
    create: Create, world: World, gateway: Gateway, admin: ApiClient, images: Path
) -> None:
    for media in MEDIA:
        request = await create.request(world, media)
        first = await made(request, admin)
        own = path_of(admin, first.headers.get("location", ""))
        async with gateway.store.transaction() as transaction:
            for path in concerned(request):
                if not own.startswith(f"{path}/"):
                    await transaction.delete(path)
        elsewhere = _moved(images, "elsewhere")
        if own and (await admin.get(own)).status == 404:
            await _demand_told_gone(request, own)
        else:
            await demand_the_same(request, first)
        _moved(elsewhere, images.name)
        world.forget()


@every_create
async def test_when_its_job_failed(create: Create, world: World, driver: MemoryDriver, admin: ApiClient) -> None:
    enter = driver.state.enter

    def failing(method: str, pool: str | None = None) -> None:
        """Once, in a Job."""
        if UNDER_WAY.get() and not failed:
            failed.append(method)
            raise DriverFailed("no such luck")
        enter(method, pool)

    for media in MEDIA:
        failed: list[Any] = []
        request = await create.request(world, media)
        driver.state.enter = failing  # type: ignore[method-assign]
        first = await request.send(**ENDED)
        job = await admin.ended(first.job)
        again = await request.send(**ENDED)
        driver.state.enter = enter  # type: ignore[method-assign]
        assert essence(again) == essence(first), f"{media}: {again.text}"
        assert job["state"] == ("FAILED" if failed else "SUCCESS")
        world.forget()


async def test_after_a_restart(world: World, gateway: Gateway, admin: ApiClient) -> None:
    requests = [await create.request(world, media) for create in CREATES for media in MEDIA]
    answers = [(request, await made(request, admin)) for request in requests]
    await gateway.stop()
    await gateway.start()
    for request, first in answers:
        await demand_the_same(request, first)


async def test_the_same_document_for_another_resource_is_another_request(world: World, admin: ApiClient) -> None:
    one, other = [await world.make("Machine") for _ in range(2)]
    url = {"Idempotency_Key": "k"}
    assert (await world.owner.post(f"{one}/snapshot", {}, **url)).status == 201
    assert (await world.owner.post(f"{other}/snapshot", {}, **url)).status == 409
