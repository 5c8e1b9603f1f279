"""``cimi`` as a process of its own: help that starts fast, Ctrl-C, tails, and completion."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cimi_client import Resource, SyncClient

from tests.api.in_memory_gateway import PASSWORD
from tests.patience import wait_until
from tests.place import ROOT

Start = Callable[..., "subprocess.Popen[str]"]
HEAVY = {"aiohttp", "rich", "asyncio.base_events"}


@pytest.fixture
def start(url: str, tmp_path: Path) -> Iterator[Start]:
    """``start("event", "tail", "-f")``: the process; what it printed is in ``tmp_path / "out"`` and ``"err"``."""
    processes: list[subprocess.Popen[str]] = []
    environment = {"CIMI_URL": url, "CIMI_USER": "admin", "CIMI_PASSWORD": PASSWORD}

    def run(*arguments: str, **more: str) -> subprocess.Popen[str]:
        with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "cimi_command", *arguments],
                env={**os.environ, "PYTHONPATH": str(ROOT / "client"), **environment, **more},
                stdout=out,
                stderr=err,
                text=True,
                # What is started in the background has SIGINT ignored, and so have its children.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.wait()


def printed(tmp_path: Path, name: str = "out") -> str:
    return (tmp_path / name).read_text()


def interrupt(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGINT)
    return process.wait(240)


@pytest.mark.parametrize("arguments", [("--help",), ("image", "--help"), ("launch", "--help"), ("completion", "bash")])
def test_help_loads_nothing_that_takes_long(arguments: tuple[str, ...]) -> None:
    program = "import sys; from cimi_command.tree import main; main(standalone_mode=False); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "client")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert HEAVY & set(done.stdout.split()) - {"asyncio.base_events"} == set()


def test_ctrl_c_says_what_goes_on_and_ends_with_130(
    start: Start, tmp_path: Path, made: Callable[..., Resource], plain: SyncClient
) -> None:
    made("slow1")
    plain.act(plain.find("machines", "slow1"), "start")
    process = start("stop", "slow1", "--timeout", "600", "--debug")
    wait_until(lambda: "/jobs/" in printed(tmp_path, "err"), 30, "the stop is asked for")
    job = plain.client.server.entry + "jobs"
    assert interrupt(process) == 130
    assert f"interrupted; this goes on: stop slow1: {job}/" in printed(tmp_path, "err")
    assert "Traceback" not in printed(tmp_path, "err")


def test_events_of_a_machine_are_followed(
    start: Start, tmp_path: Path, made: Callable[..., Resource], plain: SyncClient
) -> None:
    machine = made("events1")
    process = start("event", "tail", "-f", "events1", PYTHONUNBUFFERED="1")
    wait_until(lambda: "create" in printed(tmp_path), 30, "what happened is printed")
    plain.act(machine, "start")
    wait_until(lambda: "-> STARTED" in printed(tmp_path), 30, "what happens is printed")
    wait_until(lambda: "-> SUCCESS" in printed(tmp_path), 30, "the end of its Job is printed")
    assert interrupt(process) == 130
    about = [line for line in printed(tmp_path).splitlines() if "  machines/" in line]
    assert all(f"machines/{machine.key}" in line for line in about)


def test_a_job_is_followed_to_its_end(
    start: Start, tmp_path: Path, made: Callable[..., Resource], plain: SyncClient
) -> None:
    made("jobs1")
    job = plain.act(plain.find("machines", "jobs1"), "start")
    assert job is not None
    assert job.target is not None
    assert start("job", "tail", "-f", job.id).wait(240) == 0
    lines = printed(tmp_path).splitlines()
    assert f"begin: start machines/{job.target.rpartition('/')[2]}" in lines[0]
    assert lines[-2].endswith("end: SUCCESS")
    assert "SUCCESS 100%" in lines[-1]


def test_all_jobs_are_followed(start: Start, tmp_path: Path, made: Callable[..., Resource], plain: SyncClient) -> None:
    machine = made("jobs2")
    process = start("job", "tail", "-f", PYTHONUNBUFFERED="1")
    wait_until(lambda: "SUCCESS" in printed(tmp_path), 30, "the newest are printed")
    plain.act(machine, "start")
    wait_until(lambda: f"start     machines/{machine.key}" in printed(tmp_path), 30, "the new one is printed")
    wait_until(lambda: f"begin: start machines/{machine.key}" in printed(tmp_path), 30, "its log is printed, too")
    assert interrupt(process) == 130


def test_past_events_are_printed_as_json(start: Start, tmp_path: Path, made: Callable[..., Resource]) -> None:
    made("events2")
    assert start("event", "tail", "-n", "3", "--json").wait(240) == 0
    assert len(printed(tmp_path).splitlines()) == 3


def test_names_are_completed_from_the_provider(start: Start, tmp_path: Path, made: Callable[..., Resource]) -> None:
    made("complete1")
    made("complete2")
    words = {"_CIMI_COMPLETE": "bash_complete", "COMP_WORDS": "cimi start complete1 comp", "COMP_CWORD": "3"}
    wait_until(lambda: _completed(start, tmp_path, words) == ["plain,complete2"], 30, "the provider answers in time")


def _completed(start: Start, tmp_path: Path, words: dict[str, str]) -> list[str]:
    start(**words).wait(240)
    return printed(tmp_path).splitlines()


def test_a_provider_that_is_away_completes_nothing(start: Start, tmp_path: Path) -> None:
    words = {"_CIMI_COMPLETE": "bash_complete", "COMP_WORDS": "cimi start x", "COMP_CWORD": "2"}
    assert start(**words, CIMI_URL="http://127.0.0.1:9/").wait(240) == 0
    assert (printed(tmp_path) + printed(tmp_path, "err")).strip() == ""


def test_verbs_are_completed_without_any_provider(start: Start, tmp_path: Path) -> None:
    words = {"_CIMI_COMPLETE": "bash_complete", "COMP_WORDS": "cimi net", "COMP_CWORD": "1"}
    start(**words, CIMI_URL="").wait(240)
    assert printed(tmp_path) == "plain,network\n"
