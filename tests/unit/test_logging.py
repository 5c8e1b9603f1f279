"""Log lines: fields for the journal, and never a secret."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway import logging
from gateway.errors import GatewayError
from gateway.jobs.execution import Failure
from gateway.jobs.plan import Plan, StepCall, StepContext
from gateway.jobs.runner import JobRunner
from gateway.jobs.steps import StepRegistry
from gateway.logging import drop_secrets, journal_datagram
from gateway.store.store import Store


def test_a_jobs_line_carries_the_journal_fields() -> None:
    event = {"event": "begins", "level": "info", "job": "jobs/1", "machine": "machines/1", "user": "a", "request": "r"}
    lines = journal_datagram(event).decode().splitlines()
    assert {"CIMI_JOB=jobs/1", "CIMI_MACHINE=machines/1", "CIMI_USER=a", "CIMI_REQUEST=r", "PRIORITY=6"} <= set(lines)


def test_a_value_of_several_lines_is_sent_with_its_length() -> None:
    datagram = journal_datagram({"event": "x", "level": "error", "detail": "a\nb"})
    assert b"CIMI_DETAIL\n\x03\0\0\0\0\0\0\0a\nb\n" in datagram


def test_secrets_are_not_written() -> None:
    event = drop_secrets(None, "info", {"event": "x", "password": "hunter2", "userData": "abc"})
    assert "hunter2" not in str(event)
    assert "abc" not in str(event)


class Step:
    name = "boot disk"

    async def run(self, context: StepContext, arguments: dict[str, Any]) -> None:
        await context.log("half way")
        raise GatewayError("no disk")

    async def undo(self, context: StepContext, arguments: dict[str, Any]) -> None:
        """Nothing was made."""


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What the journal's socket gets, while the process logs as under systemd."""
    receiving = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiving.bind(str(tmp_path / "journal"))
    receiving.setblocking(False)
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    monkeypatch.setattr(logging, "JOURNAL", str(tmp_path / "journal"))
    for name, module in list(sys.modules.items()):
        # A logger remembers for ever where it wrote first: these are gone with the test.
        if name.startswith("gateway.") and hasattr(module, "log"):
            monkeypatch.setattr(module, "log", structlog.get_logger())
    logging.set_up()
    yield receiving
    structlog.get_config()["logger_factory"]().close()
    structlog.reset_defaults()
    receiving.close()


async def test_under_systemd_every_line_of_a_job_carries_job_machine_user_and_request(
    tmp_path: Path, journal: socket.socket
) -> None:
    await _run_a_failing_job(tmp_path)
    lines = [datagram.decode().splitlines() for datagram in received(journal)]
    assert len(lines) >= 4
    for line in lines:
        assert {"CIMI_MACHINE=machines/1", "CIMI_USER=ann", "CIMI_REQUEST=r1"} <= set(line), line
        assert any(field.startswith("CIMI_JOB=jobs/") for field in line)


def test_a_journal_that_reads_nothing_holds_up_nobody_and_hears_what_it_missed(journal: socket.socket) -> None:
    log = structlog.get_logger()
    for number in range(5000):
        log.info("line", number=number)
    taken = len(received(journal))
    assert 0 < taken < 5000
    log.info("line", number="last")
    told, last = (datagram.decode() for datagram in received(journal))
    assert f"CIMI_NUMBER={5000 - taken}\n" in told
    assert "log lines lost" in told
    assert "CIMI_NUMBER=last" in last


@pytest.mark.parametrize("hostile", ["\n", "\r", "\x1b[2J", "\x85", "\x9b31m", "\u2028", "\u2029", "\u202e", "\u2066"])
def test_what_a_stranger_chose_moves_no_cursor_and_makes_no_line(journal: socket.socket, hostile: str) -> None:
    structlog.get_logger().warning(f"login {hostile} refused", user=f"a{hostile}b", number=3)
    [datagram] = received(journal)
    assert all(line.isprintable() for line in datagram.decode().removesuffix("\n").split("\n"))
    assert b"CIMI_USER=a" in datagram


def test_a_trace_keeps_its_lines(journal: socket.socket) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        structlog.get_logger().exception("request broke")
    [datagram] = received(journal)
    assert b"Traceback (most recent call last):\n" in datagram


def received(journal: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(journal.recv(65536))
        except BlockingIOError:
            return found


async def _run_a_failing_job(tmp_path: Path) -> None:
    store, registry = await Store.open(tmp_path / "jobs.db"), StepRegistry()
    registry.register(Step())
    runner = JobRunner(store, registry, lambda error: Failure(10500, str(error)))
    plan = Plan("add", "machines", "ann", (StepCall("boot disk"),), affected=("machines/1",), request_id="r1")
    async with store.transaction() as transaction:
        job = await runner.submit(transaction, plan)
    await runner.wait(job, 5)
    await store.close()
