"""Plans that an earlier version stored are run by this one, to the same end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.orchestration.registry import STEPS
from tests.golden.plans_of import every_file, files_of, lines_of, read, scenario_of
from tests.golden.recording import Recording
from tests.golden.scenarios import SCENARIOS
from tests.golden.scenarios_of_undoing import UNDOING

Replay = Callable[[Path], Recording]
EVERY_FILE = pytest.mark.parametrize("path", every_file(), ids=lambda path: path.stem)
EVERY_SCENARIO = pytest.mark.parametrize("scenario", SCENARIOS)


@EVERY_FILE
def test_every_job_of_a_golden_plan_ends_as_it_did(path: Path, replayed: Replay) -> None:
    recording = replayed(path)
    assert recording.outcomes == recording.expected
    states = {"SUCCESS", "FAILED"} if scenario_of(path) in UNDOING else {"SUCCESS"}
    assert {outcome["state"] for outcome in recording.outcomes} == states


@EVERY_FILE
def test_every_golden_plan_has_its_job(path: Path, replayed: Replay) -> None:
    recording = replayed(path)
    assert [entry["plan"]["target"] for entry in recording.left] == []


@EVERY_FILE
def test_golden_plans_leave_what_they_left(path: Path, replayed: Replay) -> None:
    assert sorted(lines_of(replayed(path).after)) == sorted(lines_of(read(path)["after"]))


@EVERY_SCENARIO
def test_plans_are_made_as_before(scenario: str, replayed: Replay) -> None:
    """Red when a name, an argument or the order changes: then a new golden file is made, and the old one kept."""
    recording = replayed(files_of(scenario)[-1])
    assert recording.fresh == recording.run


def test_every_step_stands_in_a_golden_plan() -> None:
    plans = [entry["plan"] for path in every_file() for entry in read(path)["jobs"]]
    calls = [call for plan in plans for call in (*plan["steps"], plan["settle"]) if call is not None]
    assert sorted({step.name for step in STEPS} - {call["step"] for call in calls}) == []


def test_every_file_is_of_a_scenario() -> None:
    assert sorted(Path(__file__).parent.joinpath("plans").iterdir()) == sorted(every_file())
