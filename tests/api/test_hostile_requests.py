"""No request, whoever sends it, keeps the gateway from answering others for half a second.

The gateway runs as a process of its own; tests/api/watcher.py says how its pauses are measured, so that the test needs
no quiet machine, and cannot fail for want of one.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.api.hostile_requests import (
    Hostile,
    harmless,
    header_lists,
    json_bodies,
    large,
    large_answers,
    machines,
    queries,
    systems,
    xml_bodies,
)
from tests.api.in_memory_gateway import PASSWORD, InMemoryGateway, start
from tests.api.watcher import LONGEST, Watcher
from tests.cimi_client import wait_until
from tests.empty_image import qcow2
from tests.gateway_process import free_port

pytestmark = pytest.mark.slow

PATIENCE = 120.0
Family = Callable[[], Iterator[Hostile]]
WHO: dict[Family, tuple[str, ...]] = {
    json_bodies: ("viewer", "operator", "admin", "nobody"),
    machines: ("viewer", "operator", "nobody"),
    systems: ("viewer", "operator", "nobody"),
    xml_bodies: ("viewer", "operator", "admin", "nobody"),
    queries: ("viewer", "admin", "nobody"),
    header_lists: ("viewer", "operator", "nobody"),
    large_answers: ("viewer", "admin", "nobody"),
}
CASES = [pytest.param(family, user, id=f"{family.__name__}-{user}") for family, users in WHO.items() for user in users]
SERVER = """
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/cimi/sleep":
            time.sleep(1.5)
        began = time.process_time()
        while self.path == "/cimi/burn" and time.process_time() - began < 1.5:
            pass
        self.send_response(200)
        self.send_header("Content-Length", "2")
        # One connection after the other, so that a request holds up the next one's.
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"{}")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@dataclass(frozen=True)
class World:
    gateway: InMemoryGateway
    image: bytes
    """The URI of one that everybody may use."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """With a full page in the catalogue, one of Jobs, and one of large documents: lists are as long as they get."""
    home = tmp_path_factory.mktemp("hostile")
    (home / "guest.qcow2").write_bytes(qcow2())
    running = start(home)
    try:
        host, _, port = running.listen.partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
        headers = {"Content-Type": "application/json", "Prefer": "wait=60", **credentials("admin")}
        location = json.dumps({"imageLocation": f"file://{home / 'guest.qcow2'}"}).encode()
        bodies = [("machineImages", location), *(("machineConfigs", harmless(number)) for number in range(1000))]
        bodies += [("volumeConfigs", large(number)) for number in range(100)]
        made = []
        for path, body in bodies:
            connection.request("POST", f"/cimi/{path}", body, headers)
            answer = connection.getresponse()
            assert answer.status == 201, answer.read()
            answer.read()
            made.append(answer.headers["Location"])
        connection.close()
        yield World(running, made[0].encode())
    finally:
        running.stop()


def credentials(user: str) -> dict[str, str]:
    if user == "nobody":
        return {}
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()}


def watching(gateway: InMemoryGateway) -> Watcher:
    return Watcher(gateway.process.pid, int(gateway.listen.rpartition(":")[2]))


def send(gateway: InMemoryGateway, hostile: Hostile, user: str) -> int:
    """The status of the answer; 0 when the gateway hung up without one, which it may on what it will not read."""
    host, _, port = gateway.listen.partition(":")
    fields = [*hostile.headers, *credentials(user).items(), ("Host", gateway.listen), ("Connection", "close")]
    if hostile.body:
        fields.append(("Content-Length", str(len(hostile.body))))
        fields += [] if "Content-Type" in dict(hostile.headers) else [("Content-Type", hostile.media)]
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    data = f"{hostile.method} /cimi/{hostile.path} HTTP/1.1\r\n{head}\r\n".encode() + hostile.body
    with socket.create_connection((host, int(port)), PATIENCE) as line:
        with contextlib.suppress(ConnectionError):
            line.sendall(data)
        try:
            first = line.recv(16, socket.MSG_WAITALL)
            while line.recv(1_000_000):
                pass
        except ConnectionError:
            return 0
        return int(first.split()[1]) if first else 0


@pytest.mark.parametrize(("family", "user"), CASES)
def test_no_request_keeps_others_waiting_or_breaks_anything(world: World, family: Family, user: str) -> None:
    slow, broken = {}, {}
    with watching(world.gateway) as watcher:
        for hostile in family():
            status = send(world.gateway, replace(hostile, body=hostile.body.replace(b"IMAGE", world.image)), user)
            worst = watcher.worst()
            if worst >= LONGEST:
                slow[hostile.name] = round(worst, 2)
            if status >= 500:
                broken[hostile.name] = status
    assert (slow, broken) == ({}, {})


def test_no_request_of_a_stranger_gets_further_than_a_refusal(world: World) -> None:
    statuses = {send(world.gateway, hostile, "nobody") for family in WHO for hostile in family()}
    assert statuses <= {0, 400, 401, 413, 414, 431}


def test_no_request_of_a_viewer_is_read_before_the_role_is_asked(world: World) -> None:
    """A body that would be refused for what stands in it, 400, is refused for who sends it, 403."""
    for family in (json_bodies, machines, systems, xml_bodies):
        assert {send(world.gateway, hostile, "viewer") for hostile in family()} <= {0, 403}


def test_nothing_of_it_left_a_traceback_in_the_log(world: World) -> None:
    assert "Traceback" not in world.gateway.log.read_text(errors="replace")


# The watcher itself


@pytest.fixture
def slow_server(tmp_path: Path) -> Iterator[InMemoryGateway]:
    """A server that answers one request after the other, and some of them late."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(port)], stderr=subprocess.DEVNULL)
    running = InMemoryGateway(process, f"127.0.0.1:{port}", tmp_path / "log")

    def listening() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listening, 60, "the server listens")
    yield running
    running.stop()


@pytest.mark.parametrize(("path", "caused"), [("burn", True), ("sleep", False)])
def test_the_watcher_blames_a_server_that_works_and_not_one_that_is_kept_waiting(
    slow_server: InMemoryGateway, path: str, caused: bool
) -> None:
    with watching(slow_server) as watcher:
        assert send(slow_server, Hostile("", path), "nobody") == 200
        assert (watcher.worst() >= LONGEST) is caused
        assert watcher.worst() < LONGEST
