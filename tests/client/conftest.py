"""The client against a gateway over a hypervisor in memory, and against a provider that offers less."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from cimi_client import Client, Login, Resource, Server, SyncClient, Watcher
from cimi_client.servers import Media

from tests.client.machines import Opener, machine_document
from tests.client.other_provider import OtherProvider
from tests.conformance.provider import PASSWORD, serving


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URL of a gateway that a module's tests share, and the location of an image."""
    with serving(tmp_path_factory.mktemp("gateway")) as served:
        yield served


@pytest.fixture(scope="module")
def url(provider: tuple[str, str]) -> str:
    return provider[0]


@pytest.fixture(scope="module")
def image(provider: tuple[str, str]) -> Resource:
    url, location = provider
    with SyncClient(Server(url, Login("admin", PASSWORD))) as client:
        return client.create("machineImages", {"name": "guest", "imageLocation": location})


@pytest.fixture(params=["json", "xml"])
def media(request: pytest.FixtureRequest) -> Media:
    named: Media = request.param
    return named


@pytest.fixture
def opened(url: str) -> Opener:
    """``async with opened("viewer")``: a client of the gateway."""

    @asynccontextmanager
    async def of(user: str = "admin", media: Media = "json", watcher: Watcher | None = None) -> AsyncIterator[Client]:
        async with Client(Server(url, Login(user, PASSWORD), media), watcher) as client:
            yield client

    return of


@pytest.fixture
async def client(opened: Opener) -> AsyncIterator[Client]:
    async with opened() as one:
        yield one


@pytest.fixture
async def either(opened: Opener, media: Media) -> AsyncIterator[Client]:
    """A client that speaks JSON, and one that speaks XML."""
    async with opened("admin", media) as one:
        yield one


@pytest.fixture
async def machine(client: Client, image: Resource) -> Resource:
    return await (await client.create("machines", machine_document(image.id)))


@pytest.fixture
async def other() -> AsyncIterator[OtherProvider]:
    provider = OtherProvider()
    await provider.start()
    yield provider
    await provider.stop()
