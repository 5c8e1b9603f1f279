"""Each scenario is played once for each of its golden files, however many tests look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.golden.plans_of import played, read, scenario_of
from tests.golden.recording import Recording


@pytest.fixture(scope="session")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Recording]:
    """``replayed(file)``: what its scenario comes to when its plans are run."""
    recordings: dict[Path, Recording | Exception] = {}

    def of(path: Path) -> Recording:
        if path not in recordings:
            home = tmp_path_factory.mktemp("golden")
            try:
                recordings[path] = asyncio.run(played(scenario_of(path), home, read(path)))
            except Exception as error:
                recordings[path] = error
        recording = recordings[path]
        if isinstance(recording, Exception):
            raise recording
        return recording

    return of
