"""The command ``cimi``, run in this process beside a gateway that a module's tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cimi_client import Login, Resource, Server, SyncClient
from cimi_command.tree import main
from click.testing import CliRunner

from tests.api import in_memory_gateway
from tests.api.in_memory_gateway import PASSWORD
from tests.api.packages import small_package
from tests.client.command.ran import Cimi, Ran
from tests.client.machines import machine_document
from tests.empty_image import qcow2


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A gateway in a process of its own, since the command's output is caught from the whole of this one."""
    home = tmp_path_factory.mktemp("gateway")
    (home / "guest.qcow2").write_bytes(qcow2())
    (home / "small.ova").write_bytes(small_package())
    running = in_memory_gateway.start(home)
    yield f"http://{running.listen}/cimi/", f"file://{home / 'guest.qcow2'}"
    running.stop()


@pytest.fixture(scope="session")
def url(provider: tuple[str, str]) -> str:
    return provider[0]


@pytest.fixture(scope="session")
def image(provider: tuple[str, str]) -> Resource:
    url, location = provider
    with SyncClient(Server(url, Login("admin", PASSWORD))) as client:
        return client.create("machineImages", {"name": "guest", "imageLocation": location})


@pytest.fixture
def cimi(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cimi:
    """``cimi("list", "-o", "json")``: at the gateway as admin, with no profile of anybody's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name, value in (("URL", url), ("USER", "admin"), ("PASSWORD", PASSWORD)):
        monkeypatch.setenv(f"CIMI_{name}", value)
    for name in ("CIMI_TOKEN", "CIMI_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, stdin: str = "") -> Ran:
        result = CliRunner().invoke(main, list(arguments), input=stdin, prog_name="cimi")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture(scope="module")
def plain(url: str) -> Iterator[SyncClient]:
    """A client for what a test needs around the command."""
    with SyncClient(Server(url, Login("admin", PASSWORD))) as client:
        yield client


@pytest.fixture
def made(plain: SyncClient, image: Resource) -> Iterator[Callable[..., Resource]]:
    """``made("web1")``: a Machine that is stopped, and gone when the test is over."""
    machines: list[Resource] = []

    def make(name: str, **properties: str) -> Resource:
        machines.append(plain.create("machines", machine_document(image.id, name, **properties)))
        return machines[-1]

    yield make
    left = {item.id: item for item in plain.items("machines")}
    for machine in machines:
        if machine.id in left:
            plain.delete(left[machine.id])
