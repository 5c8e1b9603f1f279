"""The trace of a create counts each function where it begins, in the tasks of the request and of its Job alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from drivers.supervision import Supervision
from gateway.clock import now, timestamp
from tools import create_trace
from tools.create_trace import LIMITS, Trace, main

CLOCK, SUPERVISION = "gateway/clock.py", "drivers/supervision.py"


async def traced(work: Callable[[], Coroutine[Any, Any, Any]]) -> Trace:
    """Do the work in a task of its own, as the request of a create has one, and return its trace."""
    trace = Trace()

    async def begin() -> None:
        # A task without a parent belongs to the request, as that of a new connection does.
        asyncio.get_running_loop().call_soon(lambda: tasks.append(asyncio.ensure_future(work())))
        await asyncio.sleep(0)
        await tasks[0]

    tasks: list[asyncio.Future[Any]] = []
    await trace.trace(begin())
    return trace


async def test_a_call_is_counted_by_the_file_of_its_function() -> None:
    async def work() -> None:
        timestamp(now())

    trace = await traced(work)
    assert set(trace.files) == {CLOCK}
    assert not trace.changes


async def test_a_call_in_another_file_than_the_last_one_is_a_change() -> None:
    supervision = Supervision()

    async def work() -> None:
        now()
        supervision.works("a loop")
        now()

    trace = await traced(work)
    assert trace.changes == {(CLOCK, SUPERVISION): 1, (SUPERVISION, CLOCK): 1}


async def test_a_function_that_goes_on_is_not_counted_again() -> None:
    supervision = Supervision()

    async def work() -> None:
        with supervision.apart("work"):
            now()

    trace = await traced(work)
    assert trace.files[SUPERVISION] == 1


async def test_what_a_reaction_does_is_left_out() -> None:
    supervision = Supervision()

    async def reaction() -> None:
        now()

    async def work() -> None:
        await supervision.react("something", reaction())

    trace = await traced(work)
    assert CLOCK not in trace.files


def test_a_figure_beyond_its_limit_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(create_trace, "LIMITS", {**LIMITS, "files": 1})
    assert main([]) == 1
    assert "BROKEN files" in capsys.readouterr().out
