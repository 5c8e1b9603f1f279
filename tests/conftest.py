"""What tests need: a logging of their own, and where they use libvirt, one that answers with a pool and a network."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from demo.guest_image import build
from drivers.confined.readers import ConfinedReaders
from tests.place import ROOT

IN_MEMORY = Path("/dev/shm")
if os.access(IN_MEMORY, os.W_OK):
    # The gateway waits for the disk at every commit: on a busy disk, which the images of real guests make, for seconds.
    # What tests kill is the process and not the machine, so that memory keeps as well.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))


# The console of structlog draws each trace with all values around it, which takes seconds.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)
LOGGING = structlog.get_config()
# A machine that is busy is slow, and nothing is wrong with what it runs.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
SOCKET = "/run/libvirt/libvirt-sock"
WITHOUT_LIBVIRT = ("unit", "api", "client", "conformance", "golden", "contrib")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the files that compute evenly among those that wait for guests, so that the processors are never idle."""
    files = list(dict.fromkeys(item.path for item in items))
    computing = [path for path in files if lane(path) in WITHOUT_LIBVIRT]
    waiting = [path for path in files if path not in set(computing)]
    place = {path: number / len(kind) for kind in (computing, waiting) for number, path in enumerate(kind)}
    items.sort(key=lambda item: place[item.path])


def lane(path: Path) -> str:
    """Return the folder of tests that a file stands in."""
    return path.relative_to(ROOT / "tests").parts[0]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A libvirtd that dies (its own faults do that, rarely) costs the tests that it dies under, and no others."""
    if lane(item.path) in WITHOUT_LIBVIRT:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(SOCKET) != 0:
            start_libvirt()


def start_libvirt() -> None:
    """Start libvirt's daemons when none answers; one of several test processes does it."""
    lock = ROOT / ".venv" / "setup.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = subprocess.run([ROOT / "tools" / "setup.sh"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(autouse=True)
def logging_is_as_it_was() -> Iterator[None]:
    """A command that is run in this process sets the logging of the whole process: the next test has it as usual."""
    yield
    if structlog.get_config() == LOGGING:
        return
    structlog.configure(**LOGGING)
    for name, module in list(sys.modules.items()):
        # A logger that was used meanwhile would write for ever where it wrote then.
        if name.startswith(("gateway.", "drivers.")) and hasattr(module, "log"):
            vars(module.log).pop("bind", None)


@pytest.fixture
async def readers() -> AsyncIterator[ConfinedReaders]:
    """Processes that read hostile bytes, as the gateway has them."""
    opened = ConfinedReaders()
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory which the gateway may import from, holding guest.qcow2."""
    directory = tmp_path_factory.mktemp("images")
    shutil.copyfile(build(directory / "built.qcow2"), directory / "guest.qcow2")
    return directory
