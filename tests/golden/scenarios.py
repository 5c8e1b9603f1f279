"""What is done over HTTP so that every step of every plan has its turn: short stories, each on a gateway of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.golden.scenarios_of_machines import MACHINES
from tests.golden.scenarios_of_networks import NETWORKS
from tests.golden.scenarios_of_storage import STORAGE
from tests.golden.scenarios_of_systems import SYSTEMS
from tests.golden.scenarios_of_undoing import UNDOING
from tests.golden.stage import Stage

Scenario = Callable[[Stage], Awaitable[Any]]
SCENARIOS: dict[str, Scenario] = {**MACHINES, **STORAGE, **NETWORKS, **SYSTEMS, **UNDOING}
"""By the name of the file of its golden plans."""
