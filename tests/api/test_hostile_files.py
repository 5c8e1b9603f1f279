"""Whatever a file or a package holds, the gateway goes on answering others while it is read.

The gateway is a process of its own, over a hypervisor in memory; tests/api/watcher.py says how its pauses are measured.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.api.images.transfers import OCTETS
from tests.api.watcher import demand_no_pause
from tests.cimi_client import Answer, CimiClient
from tests.hostile_files import IMAGES, PACKAGES, described, package
from tests.memory_gateway import MemoryGatewayProcess, memory_gateway
from tests.web_server import WebServer, running

pytestmark = pytest.mark.slow

PATIENCE = 120
IMPORT = "http://cimi-gateway.org/ns/1/action/import"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemoryGatewayProcess]:
    made = memory_gateway(tmp_path_factory.mktemp("gateway"))
    made.start()
    yield made
    made.kill()


@pytest.fixture
def apart(process: MemoryGatewayProcess) -> MemoryGatewayProcess:
    """The same for all tests, as long as it lives and answers."""
    if process.process is None or process.process.poll() is not None or not process.answers():
        process.kill()
        process.start()
    return process


@pytest.fixture(scope="module")
def server() -> Iterator[WebServer]:
    with running(WebServer(b"")) as serving:
        yield serving


class Ways:
    """The ways by which a user's bytes come in. Each waits until nothing is read any more, whatever came of it."""

    def __init__(self, client: CimiClient, directory: Path, server: WebServer) -> None:
        self._client = client
        self._directory = directory
        self._server = server

    def by_upload(self, content: bytes) -> int:
        made = self._client.request("POST", "machineImages", {"name": "hostile", "size": len(content)})
        assert made.status == 201, made.body
        href = self._client.operation(made.json, "http://cimi-gateway.org/ns/1/action/upload")
        assert href is not None
        return self._end(self._client.request("PUT", href, body=content, headers={"Content-Type": OCTETS}))

    def by_file(self, content: bytes) -> int:
        return self._image(self._written(content))

    def by_url(self, content: bytes) -> int:
        self._server.data = content
        return self._image(f"{self._server.url}/hostile")

    def in_a_package(self, content: bytes) -> int:
        return self.package_by_file(package(described(capacity="64"), disk=content))

    def _image(self, location: str) -> int:
        document = {"name": "hostile", "imageLocation": location}
        return self._end(self._client.request("POST", "machineImages", document))

    def package_by_file(self, content: bytes) -> int:
        return self._package(self._written(content))

    def package_by_url(self, content: bytes) -> int:
        self._server.data = content
        return self._package(f"{self._server.url}/hostile.ova")

    def package_sent(self, content: bytes) -> int:
        headers = {"Content-Type": "application/ovf"}
        try:
            return self._end(self._client.request("POST", "systems/import", body=content, headers=headers))
        except (BrokenPipeError, ConnectionResetError, http.client.HTTPException):
            # It was refused before all of it had come.
            return 0

    def _package(self, source: str) -> int:
        return self._end(self._client.request("POST", "systems/import", {"action": IMPORT, "source": source}))

    def _written(self, content: bytes) -> str:
        path = self._directory / "hostile.ova"
        path.write_bytes(content)
        return f"file://{quote(str(path))}"

    def _end(self, answer: Answer) -> int:
        """Wait for its Job; the status of the answer."""
        assert answer.status < 500, answer.body
        if "cimi-job-uri" in answer.headers:
            self._client.finish(answer.job, PATIENCE)
        return answer.status


@pytest.fixture
def ways(apart: MemoryGatewayProcess, server: WebServer) -> Ways:
    return Ways(apart.client("operator"), apart.images, server)


IMAGE_WAYS: tuple[Callable[[Ways, bytes], int], ...] = (
    Ways.by_upload,
    Ways.by_file,
    Ways.by_url,
    Ways.in_a_package,
)
PACKAGE_WAYS: tuple[Callable[[Ways, bytes], int], ...] = (
    Ways.package_by_file,
    Ways.package_by_url,
    Ways.package_sent,
)


@pytest.mark.parametrize("way", IMAGE_WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("image", IMAGES)
def test_others_are_answered_while_an_image_is_read(
    apart: MemoryGatewayProcess, ways: Ways, image: str, way: Callable[[Ways, bytes], int]
) -> None:
    demand_no_pause(apart, lambda: way(ways, IMAGES[image]))


@pytest.mark.parametrize("way", PACKAGE_WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("part", PACKAGES)
def test_others_are_answered_while_a_package_is_read(
    apart: MemoryGatewayProcess, ways: Ways, part: str, way: Callable[[Ways, bytes], int]
) -> None:
    demand_no_pause(apart, lambda: way(ways, PACKAGES[part]))
