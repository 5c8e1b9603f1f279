"""``cimi job tail -f`` over connections that break, and at providers without a live stream."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from cimi_client import Client, NotOffered, Server
from cimi_command.options import Options
from cimi_command.session import Session
from cimi_command.tailing import tail_jobs

from tests.client.misbehaving import Misbehaving, in_turn, says, streams

Capture = pytest.CaptureFixture[str]
ENTRY = {"eventStream": "stream", "jobs": {"href": "jobs"}}


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Misbehaving]:
    monkeypatch.setattr("cimi_client.stream.FIRST_PAUSE", 0.0)
    monkeypatch.setattr("cimi_client.jobs.FIRST_PAUSE", 0.0)
    one = Misbehaving()
    one.answers["GET /"] = says(ENTRY)
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
async def session(server: Misbehaving) -> AsyncIterator[Session]:
    async with Client(Server(server.url)) as client:
        yield Session(client, Options())


def job(state: str, **more: object) -> dict[str, object]:
    return {"resourceURI": "http://x/Job", "id": "jobs/1", "state": state, "log": {"href": "jobs/1/log"}, **more}


def log(*numbers: int) -> dict[str, object]:
    lines = [{"id": f"jobs/1/log/{number}", "step": "s", "message": f"line {number}"} for number in numbers]
    return {"resourceURI": "http://x/JobLineCollection", "count": len(lines), "jobLines": lines}


def printed(capsys: Capture) -> list[str]:
    return [line.rpartition(": ")[2] for line in capsys.readouterr().out.splitlines() if "s: " in line]


async def test_lines_that_were_written_while_the_connection_was_broken_are_printed_once(
    server: Misbehaving, session: Session, capsys: Capture
) -> None:
    line = 'event: jobline\ndata: {"id": "jobs/1/log/4", "step": "s", "message": "line 4"}\n\n'
    server.answers["GET /stream"] = in_turn(streams("id: 1\n\n" + line, broken=True), streams("id: 1\n\n"))
    server.answers["GET /jobs/1"] = in_turn(*[says(job("RUNNING"))] * 2, says(job("SUCCESS")))
    server.answers["GET /jobs/1/log"] = in_turn(says(log(3)), says(log(3, 4, 5)))
    await tail_jobs(session, f"{server.url}jobs/1", True)
    assert printed(capsys) == ["line 3", "line 4", "line 5"]


async def test_a_job_that_has_ended_is_printed_with_its_log(
    server: Misbehaving, session: Session, capsys: Capture
) -> None:
    server.answers["GET /jobs/1"] = says(job("FAILED", statusMessage="no memory"))
    server.answers["GET /jobs/1/log"] = says(log(3, 4))
    await tail_jobs(session, f"{server.url}jobs/1", False)
    out = capsys.readouterr().out
    assert out.index("line 3") < out.index("line 4") < out.index("no memory")


async def test_a_job_of_a_provider_without_stream_and_log_is_asked_for_again_and_again(
    server: Misbehaving, session: Session, capsys: Capture
) -> None:
    server.answers["GET /"] = says({"jobs": {"href": "jobs"}})
    plain = [says(job(state, log=None, progress=share)) for state, share in (("RUNNING", 5), ("RUNNING", 9))]
    server.answers["GET /jobs/1"] = in_turn(plain[0], *plain, says(job("SUCCESS", log=None)))
    await tail_jobs(session, f"{server.url}jobs/1", True)
    out = capsys.readouterr().out
    assert out.index("RUNNING 5%") < out.index("RUNNING 9%") < out.index("SUCCESS")


async def test_all_jobs_of_a_provider_without_stream_cannot_be_followed(server: Misbehaving, session: Session) -> None:
    server.answers["GET /"] = says({"jobs": {"href": "jobs"}})
    with pytest.raises(NotOffered):
        await tail_jobs(session, None, True)


async def test_control_characters_of_a_log_are_shown_harmless(
    server: Misbehaving, session: Session, capsys: Capture
) -> None:
    lines = {"count": 1, "jobLines": [{"id": "jobs/1/log/1", "step": "s", "message": "a\x1b[2Jb"}]}
    server.answers["GET /jobs/1"] = says(job("SUCCESS"))
    server.answers["GET /jobs/1/log"] = says({"resourceURI": "http://x/JobLineCollection", **lines})
    await tail_jobs(session, f"{server.url}jobs/1", False)
    assert "\x1b" not in capsys.readouterr().out
