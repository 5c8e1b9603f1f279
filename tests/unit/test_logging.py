"""Log lines: fields for the journal, and never a secret."""

from __future__ import annotations

import socket
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


async def test_under_systemd_every_line_of_a_job_carries_job_machine_user_and_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.bind(str(tmp_path / "journal"))
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    monkeypatch.setattr(logging, "JOURNAL", str(tmp_path / "journal"))
    logging.set_up()
    try:
        lines = await _lines_of_a_failing_job(tmp_path, journal)
    finally:
        structlog.reset_defaults()
        journal.close()
    assert len(lines) >= 4
    for line in lines:
        assert {"CIMI_MACHINE=machines/1", "CIMI_USER=ann", "CIMI_REQUEST=r1"} <= set(line), line
        assert any(field.startswith("CIMI_JOB=jobs/") for field in line)


async def _lines_of_a_failing_job(tmp_path: Path, journal: socket.socket) -> list[list[str]]:
    store, registry = await Store.open(tmp_path / "jobs.db"), StepRegistry()
    registry.register(Step())
    runner = JobRunner(store, registry, lambda error: Failure(10500, str(error)))
    plan = Plan("add", "machines", "ann", (StepCall("boot disk"),), affected=("machines/1",), request_id="r1")
    async with store.transaction() as transaction:
        job = await runner.submit(transaction, plan)
    runner.wake()
    await runner.wait(job, 5)
    await store.close()
    journal.setblocking(False)
    found = []
    while True:
        try:
            found.append(journal.recv(65536).decode().splitlines())
        except BlockingIOError:
            return found
