"""Where the golden scenarios are played: a gateway in this process over a hypervisor in memory, every run alike."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import bcrypt
from aiohttp.abc import AbstractResolver, ResolveResult

from drivers.base import BandwidthClass, DriverFailed, HypervisorSettings
from drivers.memory import MemoryDriver
from gateway import config, users
from gateway.app import Gateway
from tests.api.client import Answer, ApiClient, Body
from tests.api.packages import small_package
from tests.api.world import World
from tests.empty_image import qcow2
from tests.gateway_process import free_port
from tests.golden.determined import StandingTime, breathe, determined
from tests.patience import eventually
from tests.web_server import WebServer, serving

BASE = "http://cimi.example/cimi/"
HOME = "/golden"
"""Stands in golden files for the directory of a run."""
FILES = "http://files.example"
"""Stands in golden files for the web server of a run."""
ROLES = {"admin": "admin", "operator": "operator"}
HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
RAW = (b"\xfa" * 510 + b"\x55\xaa").ljust(64 * 512, b"\0")
"""A raw disk with a boot sector."""
GOLD = BandwidthClass("GOLD", inbound=1000)
READING = ("GET", "HEAD")


class ToGateway(AbstractResolver):
    """Leads every name to the gateway, so that URLs are the same whatever port it has."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        place = ResolveResult(hostname=host, host="127.0.0.1", port=self._port, family=family, proto=0, flags=0)
        return [place]

    async def close(self) -> None:
        """It holds nothing."""


@dataclass(frozen=True)
class OrderedClient(ApiClient):
    """Sends no change before all that came of the one before it has happened."""

    before: Callable[[], Awaitable[str]] = None  # type: ignore[assignment]

    async def request(self, method: str, url: str = "", data: Body | None = None, **headers: str) -> Answer:
        if method not in READING:
            headers["X_Request_ID"] = await self.before()
        return await super().request(method, url, data, **headers)


class Stage:
    """Made by ``staged``. Its verbs are an operator's, and return once the Job has ended well."""

    def __init__(
        self, home: Path, gateway: Gateway, driver: MemoryDriver, session: aiohttp.ClientSession, time: StandingTime
    ) -> None:
        self.home, self.gateway, self.driver, self.time = home, gateway, driver, time
        self.files: WebServer
        self.admin = OrderedClient(session, BASE, "admin", before=self.before_change)
        self.operator = OrderedClient(session, BASE, "operator", before=self.before_change)
        self.world = World(self.operator, self.admin, gateway, driver, home / "images")
        self.held = 0
        """Jobs that a scenario keeps from ending."""
        self._changes = 0

    async def before_change(self) -> str:
        """Return the request id of the next change, when it is its turn."""
        await self.quiet()
        self._changes += 1
        self.time.tick()
        return f"request-{self._changes}"

    async def quiet(self) -> None:
        """Wait until nothing goes on any more but what is held."""

        def done() -> bool:
            # A Job that has just begun waits for its plan to be read, and is not active yet.
            runner = self.gateway.runner
            return runner.active + runner.waiting <= self.held and not self.gateway.supervision._reactions

        await eventually(done, "all that was begun ends")
        await breathe()
        await eventually(done, "all that was begun ends")

    def fixed(self, text: str) -> str:
        """Return a text of this run with what golden files have for its places."""
        return text.replace(str(self.home), HOME).replace(self.files.url, FILES)

    def placed(self, text: str) -> str:
        """Return a text of a golden file with the places of this run."""
        return text.replace(HOME, str(self.home)).replace(FILES, self.files.url)

    # What scenarios do

    async def make(self, collection: str, document: dict[str, Any], client: ApiClient | None = None) -> str:
        answer = await (client or self.operator).post(collection, document, Prefer="wait=30")
        assert answer.status == 201, answer.text
        await self.quiet()
        return answer.location

    async def image(self) -> str:
        """A shared image of an admin's, of a file on the gateway's host."""
        place = f"file://{self.home / 'images' / 'guest.qcow2'}"
        return await self.make("machineImages", {"name": "guest", "imageLocation": place}, self.admin)

    async def machine(self, image: str, **template: Any) -> str:
        return await self.make("machines", self.operator.machine(image, **template))

    async def act(self, url: str, verb: str, **parameters: Any) -> str:
        """What the answer's Location says, if it does."""
        answer = await self.operator.act(url, verb, **parameters)
        assert answer.status == 202, answer.text
        await self.succeeds(answer)
        return answer.headers.get("location", "")

    async def edit(self, url: str, document: dict[str, Any]) -> None:
        answer = await self.operator.put(f"{url}?$select={','.join(document)}", document, Prefer="wait=30")
        assert answer.status == 200, answer.text
        await self.succeeds(answer)

    async def delete(self, url: str) -> None:
        answer = await self.operator.delete(url, Prefer="wait=30")
        assert answer.status == 200, answer.text
        await self.succeeds(answer)

    async def undone(self, method: str, asking: Awaitable[Answer]) -> None:
        """Ask for what fails at this call of the hypervisor, and is undone."""
        self.driver.fail_next(method, DriverFailed("the hypervisor does not want to"))
        job = await self.admin.ended((await asking).job)
        assert job["state"] == "FAILED" and method not in self.driver.state.faults, job
        await self.quiet()

    async def succeeds(self, answer: Answer) -> None:
        job = await self.admin.ended(answer.job)
        assert job["state"] == "SUCCESS", job
        await self.quiet()

    async def listed(self, collection: str) -> list[dict[str, Any]]:
        """The items of a collection, whatever their key is."""
        document = await self.operator.document(collection)
        lists = [value for key, value in document.items() if isinstance(value, list) and key != "operations"]
        return lists[0] if lists else []


def settings_of(home: Path) -> config.Settings:
    """Return the configuration of a gateway whose files are all in ``home``."""
    users.write(home / "users", {name: users.User(name, role, HASH) for name, role in ROLES.items()})
    images = config.ImageSettings(
        [str(home / "images")],
        export_directories=[str(home / "exports")],
        staging=str(home / "staging"),
        private_networks=["127.0.0.0/8"],
    )
    return config.Settings(
        path=home / "gateway.toml",
        server=config.ServerSettings(listen=f"127.0.0.1:{free_port()}", base_url=BASE.removesuffix("cimi/")),
        store=config.StoreSettings(str(home / "gateway.db")),
        auth=config.AuthSettings(str(home / "users")),
        images=images,
        jobs=config.JobSettings(stop_deadline=1.0, answer_wait=30.0),
        machines=config.MachineSettings(least_memory=1),
        hypervisors=(HypervisorSettings("local", "memory", "default", "default", bandwidth_classes=(GOLD,)),),
        catalog=(config.CatalogEntry("small:1", "guest.qcow2", "a small guest", user="ops", least_memory=65536),),
    )


def furnish(home: Path) -> None:
    """Put the files there that a configuration names."""
    for name in ("images", "exports/operator"):
        (home / name).mkdir(parents=True, exist_ok=True)
    (home / "images" / "guest.qcow2").write_bytes(qcow2())
    (home / "images" / "world.ova").write_bytes(small_package())


@asynccontextmanager
async def opened(home: Path, driver: MemoryDriver) -> AsyncIterator[tuple[Gateway, aiohttp.ClientSession]]:
    """A gateway on what lies in ``home``, and a session that calls it by ``BASE``."""
    gateway = Gateway(settings_of(home), {driver.name: driver})
    await gateway.start()
    try:
        resolver = ToGateway(gateway.settings.server.port)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as session:
            yield gateway, session
    finally:
        await gateway.stop()


@asynccontextmanager
async def staged(home: Path) -> AsyncIterator[Stage]:
    await asyncio.to_thread(furnish, home)
    driver = MemoryDriver()
    with determined() as time:
        async with opened(home, driver) as (gateway, session), serving(WebServer(qcow2())) as files:
            stage = Stage(home, gateway, driver, session, time)
            stage.files = files
            await stage.quiet()
            yield stage
