"""A real gateway as its own process, over a hypervisor in memory: for tests that look at a process from outside.

The hypervisor forgets everything when the process ends; the store and the staging directory do not.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import bcrypt

from drivers.confined import process as confined
from drivers.memory import MemoryDriver
from gateway import config, logging, users
from gateway.app import Gateway
from tests.gateway_process import PASSWORD, USERS, GatewayProcess

READER = "CIMI_TEST_READER"
"""Names the module that runs instead of the real reading process."""
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()


class MemoryGatewayProcess(GatewayProcess):
    """A GatewayProcess that needs no libvirt, with users whose passwords cost nothing."""

    def prepare(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.images.mkdir(parents=True, exist_ok=True)
        self.configure()
        users.write(self.home / "users", {name: users.User(name, role, HASH) for name, role in USERS})

    def spawn(self, **environment: str) -> None:
        with self.log.open("ab") as output:
            module, arguments = "tests.memory_gateway", [str(self.configuration)]
            self.process = self._run(module, arguments, output, {**os.environ, **environment})


def memory_gateway(home: Path, image_settings: str = "") -> MemoryGatewayProcess:
    """Return one that is prepared and not started."""
    staging = f'staging = "{home / "staging"}"\nprivate_networks = ["127.0.0.0/8"]\n'
    made = MemoryGatewayProcess(home, "default", home / "images", image_settings=staging + image_settings)
    made.prepare()
    return made


async def serve(gateway: Gateway) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await gateway.start()
    await stop.wait()
    await gateway.stop()


if __name__ == "__main__":
    confined.MODULE = os.environ.get(READER, confined.MODULE)
    logging.set_up()
    asyncio.run(serve(Gateway(config.load(Path(sys.argv[1])), {"local": MemoryDriver()})))
