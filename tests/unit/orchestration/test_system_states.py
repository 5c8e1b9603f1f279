"""The table by which a System's state follows from its Machines, and what may be done then."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.cimi.machine import MACHINE_STATES
from gateway.orchestration.systems.states import COMMON, actions_of, derived_state
from gateway.store.model import Resource

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("state", MACHINE_STATES)
def test_of_machines_in_one_state_the_system_is_in_that_or_mixed(state: str) -> None:
    assert derived_state([state, state]) == (state if state in COMMON else "MIXED")


@pytest.mark.parametrize("states", [[], ["STARTED", "STOPPED"], ["STARTED", "ERROR"], ["STARTING", "STARTED"]])
def test_everything_else_is_mixed(states: list[str]) -> None:
    assert derived_state(states) == "MIXED"


@pytest.mark.parametrize(
    "state, states, actions",
    [
        ("STOPPED", ["STOPPED"], {"start", "restart"}),
        ("STARTED", ["STARTED"], {"stop", "restart", "pause", "suspend"}),
        ("STARTING", ["STARTING"], {"stop"}),
        ("SUSPENDED", ["SUSPENDED"], {"start", "stop", "restart"}),
        ("MIXED", ["STARTED", "STOPPED"], {"start", "stop", "restart", "pause", "suspend"}),
        ("MIXED", ["CREATING"], set()),
        ("MIXED", [], {"start", "stop", "restart", "pause", "suspend"}),
        ("ERROR", ["STOPPED"], {"start", "restart"}),
        ("CREATING", ["STARTED"], set()),
        ("DELETING", ["STARTED"], set()),
    ],
)
def test_what_one_machine_can_do_is_offered(state: str, states: list[str], actions: set[str]) -> None:
    system = Resource("systems/1", "System", "me", {"state": state}, NOW, NOW, internal={"states": states})
    assert actions_of(system) == actions
