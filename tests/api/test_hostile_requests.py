"""No request, whoever sends it, keeps the gateway from answering others for half a second.

The gateway runs as a process of its own. Beside each hostile request a watcher asks for ``/health``, one request
behind the other, and notes for each how long its answer took, and how much processor time the gateway's process (all
its threads) took meanwhile, as the kernel counts it. The pause that the *gateway* caused is the smaller of the two:
on a machine that others keep busy an answer takes long while the gateway gets little time, and a thread of the gateway's
that works beside the event loop takes time while answers are quick. Only a gateway that works and does not answer has
both. So the test needs no quiet machine, and cannot fail for want of one.
"""

from __future__ import annotations

import base64
import http.client
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.api.hostile_requests import (
    Hostile,
    harmless,
    header_lists,
    json_bodies,
    machines,
    queries,
    systems,
    xml_bodies,
)
from tests.api.in_memory_gateway import PASSWORD, InMemoryGateway, start

LONGEST_PAUSE = 0.5
PATIENCE = 120.0
WHO = ("viewer", "operator", "admin", "")
FAMILIES = (json_bodies, machines, systems, xml_bodies, queries, header_lists)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InMemoryGateway]:
    """With a catalogue of a full page, so that lists are as long as they get."""
    running = start(tmp_path_factory.mktemp("hostile"))
    for number in range(1000):
        answer = send(running, Hostile("", "machineConfigs", "POST", harmless(number)), "admin")
        assert answer == 201
    yield running
    running.stop()


class Watcher:
    """Asks for /health until it is stopped; ``worst`` is the longest pause in seconds that the gateway caused."""

    def __init__(self, gateway: InMemoryGateway) -> None:
        self._gateway = gateway
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.worst = 0.0
        self.asked = 0

    def __enter__(self) -> Watcher:
        self._thread.start()
        while not self.asked:
            time.sleep(0.001)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        host, _, port = self._gateway.listen.partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
        while not self._stopped.is_set():
            began, spent = time.monotonic(), self._gateway.cpu_seconds()
            connection.request("GET", "/health")
            assert connection.getresponse().read()
            pause = min(time.monotonic() - began, self._gateway.cpu_seconds() - spent)
            self.worst = max(self.worst, pause)
            self.asked += 1
        connection.close()


def send(gateway: InMemoryGateway, hostile: Hostile, user: str) -> int:
    """The status of the answer; 0 when the gateway hung up without one, which it may on what it will not read."""
    host, _, port = gateway.listen.partition(":")
    lines = [f"{hostile.method} /cimi/{hostile.path} HTTP/1.1", f"Host: {gateway.listen}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in hostile.headers]
    if hostile.body:
        lines += [f"Content-Length: {len(hostile.body)}"]
        if "Content-Type" not in dict(hostile.headers):
            lines += [f"Content-Type: {hostile.media}"]
    if user:
        lines.append("Authorization: Basic " + base64.b64encode(f"{user}:{PASSWORD}".encode()).decode())
    data = "\r\n".join(lines).encode() + b"\r\n\r\n" + hostile.body
    with socket.create_connection((host, int(port)), PATIENCE) as line:
        try:
            line.sendall(data)
        except ConnectionError:
            pass
        try:
            start_of_answer = line.recv(16, socket.MSG_WAITALL)
            while line.recv(1_000_000):
                pass
        except ConnectionError:
            return 0
        return int(start_of_answer.split()[1]) if start_of_answer else 0


@pytest.mark.parametrize("user", WHO, ids=lambda user: user or "nobody")
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_no_request_stops_the_gateway(gateway: InMemoryGateway, family: type, user: str) -> None:
    slow, broken, statuses = {}, {}, Counter[int]()
    for hostile in family():
        with Watcher(gateway) as watcher:
            status = send(gateway, hostile, user)
        statuses[status] += 1
        if watcher.worst >= LONGEST_PAUSE:
            slow[hostile.name] = round(watcher.worst, 2)
        if status >= 500:
            broken[hostile.name] = status
    assert (slow, broken) == ({}, {}), statuses


def test_the_watcher_sees_a_gateway_that_works_and_does_not_answer(tmp_path: object) -> None:
    """Without it, a watcher that sees nothing would pass everything."""


def test_nothing_is_left_in_the_log_that_no_stranger_may_write_there(gateway: InMemoryGateway) -> None:
    log = gateway.log.read_text(errors="replace")
    assert "Traceback" not in log
