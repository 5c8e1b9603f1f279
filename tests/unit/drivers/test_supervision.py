"""Loops that go on for ever: what becomes of one whose turn fails."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from drivers import supervision
from drivers.supervision import Supervision
from tests.patience import eventually


@pytest.fixture
def kept() -> Supervision:
    return Supervision()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_BACKOFF", 0.01)


class Work:
    """A turn that fails while ``broken``."""

    def __init__(self, broken: bool = False) -> None:
        self.broken, self.turns = broken, 0

    async def turn(self) -> None:
        self.turns += 1
        if self.broken:
            raise ValueError("nobody thought of this")


async def test_a_loop_goes_on_after_a_surprise(kept: Supervision) -> None:
    work = Work(broken=True)
    loop = kept.keep("work", work.turn, 0.01)
    await eventually(lambda: work.turns > 3, "several turns")
    await loop.stop()


async def test_a_loop_whose_turn_failed_is_in_trouble_until_a_turn_works(kept: Supervision) -> None:
    work = Work(broken=True)
    loop = kept.keep("work", work.turn, 0.01)
    await eventually(lambda: kept.in_trouble == ("work",), "the loop is in trouble")
    work.broken = False
    await eventually(lambda: kept.in_trouble == (), "the loop is out of trouble")
    await loop.stop()


async def test_a_surprise_is_logged_with_its_trace(kept: Supervision) -> None:
    work = Work(broken=True)
    with capture_logs() as lines:
        loop = kept.keep("work", work.turn, 0.01)
        await eventually(lambda: lines, "a line")
        await loop.stop()
    assert lines[0]["loop"] == "work"
    assert isinstance(lines[0]["exc_info"], ValueError)
    assert lines[0]["exc_info"].__traceback__ is not None


async def test_every_surprise_is_counted(kept: Supervision) -> None:
    work = Work(broken=True)
    loop = kept.keep("work", work.turn, 0.01)
    await eventually(lambda: work.turns > 2, "several turns")
    await loop.stop()
    assert kept.failures["work"] == work.turns


async def test_pauses_grow_while_a_loop_fails_and_are_bounded(
    kept: Supervision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "LONGEST_BACKOFF", 0.04)
    pauses: list[float] = []
    monkeypatch.setattr(supervision.Loop, "_rest", lambda _self, seconds: _noted(pauses, seconds))
    loop = kept.keep("work", Work(broken=True).turn, 100.0)
    await eventually(lambda: len(pauses) >= 6, "several pauses")
    await loop.stop()
    assert pauses[:6] == [0.0, 0.01, 0.02, 0.04, 0.04, 0.04]


async def _noted(pauses: list[float], seconds: float) -> None:
    pauses.append(seconds)
    await asyncio.sleep(0)


async def test_a_surprise_about_one_of_many_troubles_no_loop(kept: Supervision) -> None:
    others: list[str] = []

    async def turn() -> None:
        for name in ("odd", "even"):
            with kept.apart("work", machine=name):
                if name == "odd":
                    raise ValueError(name)
                others.append(name)

    loop = kept.keep("work", turn, 0.01)
    await eventually(lambda: others, "the other one's turn")
    assert kept.in_trouble == ()
    assert kept.failures["work"] >= 1
    await loop.stop()


async def test_a_reaction_that_fails_is_told_and_counted(kept: Supervision) -> None:
    await kept.react("events", Work(broken=True).turn())
    assert kept.failures["events"] == 1
    assert kept.in_trouble == ()


async def test_reactions_are_broken_off_by_their_name(kept: Supervision) -> None:
    one, other = (kept.react(name, asyncio.sleep(60)) for name in ("one", "other"))
    await kept.end_reactions("one", cancel=True)
    assert one.cancelled()
    assert not other.done()
    await kept.end_reactions("other", cancel=True)


async def test_a_stopped_loop_takes_no_further_turn_and_is_not_in_trouble(kept: Supervision) -> None:
    work = Work(broken=True)
    loop = kept.keep("work", work.turn, 0.01)
    await eventually(lambda: kept.in_trouble, "the loop is in trouble")
    await loop.stop()
    assert kept.in_trouble == ()
    assert kept.loops == {}


async def test_a_loop_that_is_hurried_does_not_wait_for_the_end_of_its_pause(kept: Supervision) -> None:
    work = Work()
    loop = kept.keep("work", work.turn, 600.0)
    await eventually(lambda: work.turns == 1, "the first turn")
    loop.hurry()
    await eventually(lambda: work.turns == 2, "the second turn")
    await loop.stop()


async def test_a_loop_that_is_hurried_and_stopped_at_once_ends(kept: Supervision) -> None:
    work = Work()
    loop = kept.keep("work", work.turn, 600.0)
    await eventually(lambda: work.turns == 1, "the first turn")
    loop.hurry()
    stopping = asyncio.ensure_future(loop.stop())
    done, _pending = await asyncio.wait({stopping}, timeout=10)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    assert done == {stopping}
