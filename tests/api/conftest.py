"""The whole gateway in this process over a hypervisor in memory, and clients that speak to it over HTTP."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from blockbuster import blockbuster_ctx

from drivers.base import HypervisorSettings
from drivers.memory import MemoryDriver, Usage
from gateway import config, users
from gateway.app import Gateway
from tests.api.client import HASH, ROLES, ApiClient
from tests.api.meters import Look
from tests.api.mortal import Mortal
from tests.api.volumes import by_value
from tests.api.world import World
from tests.empty_image import qcow2
from tests.gateway_process import free_port


@pytest.fixture(autouse=True)
def loop_is_never_blocked() -> Iterator[None]:
    """Fails a test in which the gateway's or a driver's code blocks the event loop."""
    with blockbuster_ctx(scanned_modules=["gateway", "drivers"]) as detector:
        # stat of the users file at each login, and reading it when it changed: both are of microseconds.
        for name in ("os.stat", "io.TextIOWrapper.read", "io.BufferedReader.read", "os.access"):
            if name in detector.functions:
                detector.functions[name].deactivate()
        yield


@pytest.fixture
def driver() -> MemoryDriver:
    return MemoryDriver()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    directory = tmp_path / "images"
    directory.mkdir()
    (directory / "guest.qcow2").write_bytes(qcow2())
    return directory


@pytest.fixture
def hypervisor() -> dict[str, Any]:
    """More settings of the hypervisor; a test class may give its own."""
    return {}


@pytest.fixture
def settings(tmp_path: Path, images: Path, hypervisor: dict[str, Any]) -> config.Settings:
    users_file = tmp_path / "users"
    users.write(users_file, {name: users.User(name, role, HASH) for name, role in ROLES.items()})
    return config.Settings(
        path=tmp_path / "gateway.toml",
        server=config.ServerSettings(listen=f"127.0.0.1:{free_port()}"),
        store=config.StoreSettings(str(tmp_path / "gateway.db")),
        auth=config.AuthSettings(str(users_file)),
        images=config.ImageSettings([str(images)], staging=str(tmp_path / "staging")),
        # Long, so that a loaded machine answers as a quick one does.
        jobs=config.JobSettings(stop_deadline=1.0, answer_wait=30.0),
        # Tests that are not about memory may write small figures; those that are set their own floor.
        machines=config.MachineSettings(least_memory=1),
        hypervisors=(HypervisorSettings("local", "memory", "default", "default", **hypervisor),),
        catalog=(config.CatalogEntry("small:1", "guest.qcow2", "a small guest", user="ops", least_memory=65536),),
    )


@pytest.fixture
async def gateway(settings: config.Settings, driver: MemoryDriver) -> AsyncIterator[Gateway]:
    running = Gateway(settings, {driver.name: driver})
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def client(gateway: Gateway, session: aiohttp.ClientSession) -> Callable[..., ApiClient]:
    """``client("viewer")`` or ``client("admin", "xml")``."""

    def of(user: str = "admin", media: str = "json") -> ApiClient:
        return ApiClient(session, f"http://{gateway.settings.server.listen}/cimi/", user, media)

    return of


@pytest.fixture
def admin(client: Callable[..., ApiClient]) -> ApiClient:
    return client("admin")


@pytest.fixture
async def image(admin: ApiClient, images: Path) -> str:
    document = {"name": "guest", "imageLocation": f"file://{images / 'guest.qcow2'}"}
    made = await admin.post("machineImages", document, Prefer="wait=30")
    assert made.status == 201, made.text
    return made.location


@pytest.fixture
async def machine(admin: ApiClient, image: str) -> str:
    made = await admin.post("machines", admin.machine(image), Prefer="wait=30")
    assert made.status == 201, made.text
    return made.location


@pytest.fixture
def world(gateway: Gateway, driver: MemoryDriver, client: Callable[..., ApiClient], images: Path) -> World:
    """Of an operator."""
    return World(client("operator"), client("admin"), gateway, driver, images)


@pytest.fixture
def look(gateway: Gateway, driver: MemoryDriver) -> Look:
    """``await look(10)``: so many seconds go by, exactly, and the guests are looked at."""
    driver.state.clock_stood_at = time.monotonic()

    async def after(seconds: float = 0.0) -> None:
        driver.state.seconds_ahead += seconds
        await gateway.sampler.look(driver)

    return after


@pytest.fixture
def usage(driver: MemoryDriver, machine: str) -> Usage:
    return driver.state.usage.setdefault(machine.rpartition("/")[2], Usage())


@pytest.fixture
async def mortal(
    settings: config.Settings, driver: MemoryDriver, session: aiohttp.ClientSession
) -> AsyncIterator[Mortal]:
    made = Mortal(settings, driver, session)
    await made.start()
    yield made
    await made.gateway.stop()


@pytest.fixture
async def volume(admin: ApiClient) -> str:
    return (await admin.post("volumes", by_value())).location
