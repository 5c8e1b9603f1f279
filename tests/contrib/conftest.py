"""A gateway over a hypervisor in memory, and the environment with the neighbours' programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cimi_client import Login, Server, SyncClient

from tests.api import in_memory_gateway
from tests.api.in_memory_gateway import PASSWORD
from tests.contrib.environment import SECONDS, Run, installed_programs
from tests.empty_image import qcow2
from tests.place import ROOT


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder with the programs of the lock file ``requirements/contrib.txt``."""
    return installed_programs()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("gateway")
    (home / "guest.qcow2").write_bytes(qcow2())
    running = in_memory_gateway.start(home)
    base = f"http://{running.listen}/cimi/"
    with SyncClient(Server(base, Login("admin", PASSWORD))) as client:
        client.create("machineImages", {"name": "guest", "imageLocation": f"file://{home / 'guest.qcow2'}"})
    yield base
    running.stop()


@pytest.fixture
def run(programs: Path, url: str) -> Run:
    """``run("python", "-c", program)``: what a program of the environment prints, with access to the gateway."""
    paths = (ROOT / "client", ROOT / "contrib" / "libcloud")
    access = {"CIMI_URL": url, "CIMI_USER": "admin", "CIMI_PASSWORD": PASSWORD}

    def of(program: str, *arguments: str, **more: str) -> str:
        done = subprocess.run(
            [programs / program, *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), **access, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return of
