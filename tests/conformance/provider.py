"""A gateway over a hypervisor in memory, in a thread of its own: the client that judges it blocks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bcrypt

from drivers.base import HypervisorSettings
from drivers.memory import MemoryDriver
from gateway import config, users
from gateway.app import Gateway
from tests.api.packages import small_package
from tests.empty_image import qcow2
from tests.gateway_process import free_port

PASSWORD = "secret"


def settings(directory: Path) -> config.Settings:
    images = directory / "images"
    images.mkdir()
    (images / "guest.qcow2").write_bytes(qcow2())
    (images / "small.ova").write_bytes(small_package())
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    users.write(directory / "users", {"admin": users.User("admin", "admin", hashed)})
    return config.Settings(
        path=directory / "gateway.toml",
        server=config.ServerSettings(listen=f"127.0.0.1:{free_port()}"),
        store=config.StoreSettings(str(directory / "gateway.db")),
        auth=config.AuthSettings(str(directory / "users")),
        images=config.ImageSettings([str(images)], staging=str(directory / "staging")),
        jobs=config.JobSettings(stop_deadline=1.0, answer_wait=30.0),
        hypervisors=(HypervisorSettings("local", "memory", "default", "default"),),
    )


def package_beside(image: str) -> str:
    return image.replace("guest.qcow2", "small.ova")


@contextmanager
def serving(directory: Path) -> Iterator[tuple[str, str]]:
    """The URL of the Cloud Entry Point, and the location of an image to import; ``package_beside`` it is a package."""
    known = settings(directory)
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        driver = MemoryDriver()
        gateway = Gateway(known, {driver.name: driver})
        await gateway.start()
        ready.set()
        await stop.wait()
        await gateway.stop()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(60), "the gateway did not start"
    try:
        yield f"http://{known.server.listen}/cimi/", f"file://{directory / 'images' / 'guest.qcow2'}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        loop.close()
