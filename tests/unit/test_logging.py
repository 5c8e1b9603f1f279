"""Log lines: fields for the journal, and never a secret."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway import logging
from gateway.errors import GatewayError
from gateway.jobs.execution import Failure, JobTools
from gateway.jobs.plan import Ended, Plan, StepCall, StepContext, StepRegistry
from gateway.jobs.runner import JobRunner
from gateway.logging import drop_secrets, journal_datagram
from gateway.store.store import Store
from tests.patience import PATIENCE


def test_a_jobs_line_carries_the_journal_fields() -> None:
    event = {"event": "begins", "level": "info", "job": "jobs/1", "machine": "machines/1", "user": "a", "request": "r"}
    lines = journal_datagram(event).decode().splitlines()
    assert {"CIMI_JOB=jobs/1", "CIMI_MACHINE=machines/1", "CIMI_USER=a", "CIMI_REQUEST=r", "PRIORITY=6"} <= set(lines)


def fields(event: dict[str, Any]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in journal_datagram(event).decode().splitlines())


@pytest.mark.parametrize(
    ("event", "machine"),
    [
        ({"machine": "machines/1"}, "machines/1"),
        ({"machine": "machines/1/volumes/2"}, "machines/1"),
        ({"attachment": "machines/1/volumes/2"}, "machines/1"),
        ({"resource": "volumes/2", "target": "machines/1/disks/vda"}, "machines/1"),
        ({"path": "machines/1"}, "machines/1"),
        ({"path": "machines"}, None),
        ({"path": "machines/"}, None),
        ({"path": "machines/a b/c"}, None),
        ({"path": "machines/" + "1" * 100}, None),
        ({"reason": "machines/1 is held"}, None),
        ({"number": 7}, None),
    ],
)
def test_a_line_about_a_part_of_a_machine_carries_the_machines_own_path(
    event: dict[str, Any], machine: str | None
) -> None:
    assert fields({"event": "x", **event}).get("CIMI_MACHINE") == machine


def test_the_message_of_a_jobs_line_begins_with_the_job_and_leaves_out_what_the_fields_say() -> None:
    event = {"event": "begins", "step": "boot disk", "job": "jobs/1", "machine": "machines/1", "resource": "disks/2"}
    line = fields({**event, "user": "ann", "request": "r1", "level": "info"})
    assert line["MESSAGE"] == "jobs/1  boot disk: begins"
    assert (line["CIMI_STEP"], line["CIMI_RESOURCE"], line["CIMI_USER"]) == ("boot disk", "disks/2", "ann")


def test_the_message_of_another_line_says_what_it_is_about_but_not_its_request() -> None:
    line = fields({"event": "state changed outside", "machine": "machines/1", "state": "STOPPED", "request": "r1"})
    assert line["MESSAGE"] == "state changed outside machine=machines/1 state=STOPPED"


@pytest.mark.parametrize("name", ["trace", "exception"])
def test_a_trace_stands_beside_the_message(name: str) -> None:
    datagram = journal_datagram({"event": "not compared", "resource": "networks/1", name: "File 1\nFile 2"})
    assert b"MESSAGE=not compared resource=networks/1\n" in datagram
    assert b"File 1\nFile 2\n" in datagram


def test_a_long_message_is_cut_and_its_field_is_whole() -> None:
    line = fields({"event": "end", "job": "jobs/1", "reason": "x" * 1000})
    assert len(line["MESSAGE"]) == logging.LONGEST_MESSAGE
    assert line["CIMI_REASON"] == "x" * 1000


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

    async def settle(self, context: StepContext, arguments: dict[str, Any], ended: Ended) -> None:
        """Nothing is to be told."""


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


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Has the process log as outside of systemd, to what is standard error then."""
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    yield logging.set_up
    structlog.reset_defaults()


async def test_under_systemd_every_line_of_a_job_carries_job_machine_user_and_request(
    tmp_path: Path, journal: socket.socket
) -> None:
    await _run_a_failing_job(tmp_path)
    lines = [datagram.decode().splitlines() for datagram in received(journal)]
    assert len(lines) >= 4
    for line in lines:
        assert {"CIMI_MACHINE=machines/1", "CIMI_USER=ann", "CIMI_REQUEST=r1"} <= set(line), line
        assert any(field.startswith("CIMI_JOB=jobs/") for field in line)


def told_of(journal: socket.socket, job: str) -> list[tuple[str, str]]:
    """The words of a Job's lines in the journal behind their step, and the steps they are about."""
    lines = [dict(line.split("=", 1) for line in datagram.decode().splitlines()) for datagram in received(journal)]
    mine = [line for line in lines if line.get("CIMI_JOB") == job]
    for line in mine:
        assert line["CIMI_MACHINE"] == "machines/1", line
        assert (line["CIMI_USER"], line["CIMI_REQUEST"]) == ("ann", "r1"), line
    assert all(line["MESSAGE"].startswith(f"{job}  {line['CIMI_STEP']}: ") for line in mine)
    return [(line["MESSAGE"].removeprefix(f"{job}  {line['CIMI_STEP']}: "), line["CIMI_STEP"]) for line in mine]


@pytest.mark.parametrize("affected", ["machines/1", "machines/1/volumes/2", "volumes/2"])
async def test_the_first_step_of_a_job_is_in_the_journal_as_soon_as_the_job_is_accepted(
    tmp_path: Path, journal: socket.socket, affected: str
) -> None:
    """Of a job with one step nothing else would be there until its end."""
    async with runner(tmp_path) as (store, running):
        plan = Plan("pause", "machines/1", "ann", (StepCall("waits"),), affected=(affected,), request_id="r1")
        async with store.transaction() as transaction:
            job = await running.submit(transaction, plan)
            assert told_of(journal, job) == []
        assert told_of(journal, job) == [("pause machines/1 by ann", "begin"), ("begins", "waits")]
        await running.stop(job, "enough")
        await running.wait(job, PATIENCE)


async def test_of_a_job_whose_transaction_is_given_up_nothing_is_told(tmp_path: Path, journal: socket.socket) -> None:
    async with runner(tmp_path) as (store, running):
        plan = Plan("pause", "machines/1", "ann", (StepCall("waits"),), request_id="r1")
        with pytest.raises(GatewayError):
            async with store.transaction() as transaction:
                job = await running.submit(transaction, plan)
                raise GatewayError("no")
        assert told_of(journal, job) == []


async def test_a_job_that_ends_with_its_request_is_in_the_journal(tmp_path: Path, journal: socket.socket) -> None:
    async with runner(tmp_path) as (store, running):
        plan = Plan("edit", "machines/1", "ann", (), request_id="r1")
        async with store.transaction() as transaction:
            completed = await running.completed(transaction, plan)
            refused = await running.refused(transaction, plan, Failure(10409, "it is busy"))
        lines = [datagram.decode() for datagram in received(journal)]
        (begun, said) = [line for line in lines if f"CIMI_JOB={completed}\n" in line]
        assert "CIMI_ACTION=edit\n" in begun
        assert "CIMI_STATE=SUCCESS\n" in said
        (_, said) = [line for line in lines if f"CIMI_JOB={refused}\n" in line]
        assert {"CIMI_STATE=FAILED", "CIMI_REASON=it is busy", "PRIORITY=4"} <= set(said.splitlines())


async def test_a_job_that_is_taken_up_after_a_restart_is_in_the_journal(tmp_path: Path, journal: socket.socket) -> None:
    async with runner(tmp_path) as (store, running):
        plan = Plan("pause", "machines/1", "ann", (StepCall("waits"),), request_id="r1")
        async with store.transaction() as transaction:
            job = await running.submit(transaction, plan)
        await running.drain(60)
        received(journal)
        again = JobRunner(running._tools)
        await again.recover()
        assert told_of(journal, job) == [("taken up again after a restart: run", "recovery")]
        await again.stop(job, "enough")
        await again.wait(job, 60)


async def test_the_journal_shows_of_a_job_what_its_log_shows(tmp_path: Path, journal: socket.socket) -> None:
    async with runner(tmp_path) as (store, running):
        plans = (
            Plan("pause", "machines/1", "ann", (StepCall("boot disk"),), request_id="r1"),
            Plan("pause", "machines/1", "ann", (StepCall("waits"),), settle=StepCall("boot disk"), request_id="r1"),
        )
        for wanted in plans:
            async with store.transaction() as transaction:
                job = await running.submit(transaction, wanted)
            if wanted.steps[0].step == "waits":
                await running.stop(job, "enough")
            await running.wait(job, PATIENCE)
            kept = [(message, step) for *_, step, message in await running.lines(job)]
            assert len(kept) >= 4
            assert told_of(journal, job) == kept


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


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no words")


HOSTILE: dict[str, Any] = {
    "an exception": ValueError("a\nb\x1b[2J"),
    "an exception of bytes": OSError(2, "a\u202eb", b"\xff\n"),
    "a list": ["a\x85b", "\u202e"],
    "a dictionary": {"\u2028": "\ud800"},
    "bytes": b"a\n\xff\x1b",
    "a path": Path("a\nb\udcff"),
    "a surrogate": "\udcff",
    "what has no words": Unspeakable(),
    "a list of that": [Unspeakable()],
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_whatever_a_stranger_chose_is_one_line_in_the_journal(journal: socket.socket, value: Any) -> None:
    structlog.get_logger().warning("told", detail=value, user="b")
    [datagram] = received(journal)
    lines = datagram.decode().removesuffix("\n").split("\n")
    assert all(line.isprintable() for line in lines)
    assert len([line for line in lines if line.startswith("CIMI_DETAIL=")]) == 1
    assert "CIMI_USER=b" in lines


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_whatever_a_stranger_chose_is_one_line_on_standard_error(
    plain: Callable[[], None], capsys: pytest.CaptureFixture[str], value: Any
) -> None:
    plain()
    structlog.get_logger().warning("told", detail=value, user="b")
    told = capsys.readouterr().err
    assert told.removesuffix("\n").isprintable()
    assert told.endswith(" user=b\n")


def test_an_exceptions_own_words_move_no_cursor_in_a_trace(journal: socket.socket) -> None:
    try:
        raise ValueError("a\x1b[2J\u202e\udcff\rb")
    except ValueError:
        structlog.get_logger().exception("request broke")
    [datagram] = received(journal)
    start = datagram.index(b"Traceback")
    trace = datagram[start:].decode().split("\n")
    assert len(trace) > 3
    assert all(line.isprintable() for line in trace)


def test_numbers_and_nothing_are_written_as_before(
    plain: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    plain()
    structlog.get_logger().info("told", number=3, share=0.5, none=None)
    assert capsys.readouterr().err.endswith(" level=info event=told number=3 share=0.5 none=\n")


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


class Waiting(Step):
    name = "waits"

    async def run(self, context: StepContext, arguments: dict[str, Any]) -> None:
        while True:
            context.check()
            await asyncio.sleep(0.01)


@asynccontextmanager
async def runner(tmp_path: Path) -> AsyncIterator[tuple[Store, JobRunner]]:
    store, registry = await Store.open(tmp_path / "jobs.db"), StepRegistry()
    registry.register(Step())
    registry.register(Waiting())
    try:
        yield store, JobRunner(JobTools(store, registry, lambda error: Failure(10500, str(error))))
    finally:
        await store.close()


async def _run_a_failing_job(tmp_path: Path) -> None:
    async with runner(tmp_path) as (store, running):
        plan = Plan("add", "machines", "ann", (StepCall("boot disk"),), affected=("machines/1",), request_id="r1")
        async with store.transaction() as transaction:
            job = await running.submit(transaction, plan)
        await running.wait(job, PATIENCE)
