"""A gateway over a hypervisor in memory, as its own process: ``python -m tests.api.in_memory_gateway CONFIG``."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import bcrypt

from drivers.memory import MemoryDriver
from gateway import config, logging, users
from gateway.app import Gateway
from tests.cimi_client import wait_until
from tests.gateway_process import free_port

ROLES = {"admin": "admin", "operator": "operator", "viewer": "viewer"}
PASSWORD = "secret"


@dataclass
class InMemoryGateway:
    """One that runs. ``listen`` is host:port; ``log`` is what it wrote."""

    process: subprocess.Popen[bytes]
    listen: str
    log: Path

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def start(home: Path, server: str = "") -> InMemoryGateway:
    """Start one with users admin, operator and viewer; it is ready when this returns. ``server``: more lines of it."""
    port = free_port()
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    users.write(home / "users", {name: users.User(name, role, hashed) for name, role in ROLES.items()})
    (home / "gateway.toml").write_text(
        f'[server]\nlisten = "127.0.0.1:{port}"\n{server}\n[store]\npath = "gateway.db"\n[auth]\nusers_file = "users"\n'
        '[images]\ndirectories = ["."]\ncatalog = "catalog.toml"\n'
        '[[hypervisor]]\nname = "local"\nuri = "memory"\npool = "default"\nnetwork = "default"\n'
    )
    (home / "catalog.toml").write_text(
        '[[image]]\nname = "small:1"\nlocation = "guest.qcow2"\ndescription = "a small guest"\nuser = "ops"\n'
    )
    log = home / "gateway.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "tests.api.in_memory_gateway", str(home / "gateway.toml")]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    running = InMemoryGateway(process, f"127.0.0.1:{port}", log)
    try:
        wait_until(lambda: b"listening" in log.read_bytes(), 60, "the gateway listens")
    except BaseException:
        process.kill()
        process.wait()
        raise
    return running


async def serve(path: Path) -> None:
    logging.set_up()
    gateway = Gateway(config.load(path), {"local": MemoryDriver()})
    await gateway.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
