"""Files are opened by a way that no link leads: what was looked at before is what is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from drivers.base import DriverInvalid
from drivers.images.window import FileWindow, open_regular, stamp_at
from gateway.orchestration.common.contract import Caller, Role
from gateway.orchestration.common.room import ImageTools
from gateway.orchestration.images.source import local_file
from tests.empty_image import qcow2

Swap = Callable[[Path, Path], None]


def seen(location: str, directory: Path) -> Path:
    """The file of a location, as it is looked at for somebody who may import from the directory."""
    tools = cast("ImageTools", SimpleNamespace(directories=(str(directory),), export_directories=()))
    return local_file(tools, Caller("ann", Role.OPERATOR, "ann", "r1"), location)


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    """A directory that images may come from, with an image two directories below it."""
    directory = tmp_path / "allowed"
    (directory / "below" / "deeper").mkdir(parents=True)
    (directory / "below" / "deeper" / "image").write_bytes(qcow2())
    return directory


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory of others, with a file at every place that the allowed one has."""
    directory = tmp_path / "outside"
    (directory / "deeper").mkdir(parents=True)
    for path in (directory / "image", directory / "deeper" / "image"):
        path.write_bytes(b"a secret of others")
    return directory


def the_file(allowed: Path, outside: Path) -> None:
    image = allowed / "below" / "deeper" / "image"
    image.unlink()
    image.symlink_to(outside / "image")


def its_directory(allowed: Path, outside: Path) -> None:
    deeper = allowed / "below" / "deeper"
    deeper.rename(allowed / "moved")
    deeper.symlink_to(outside / "deeper")


def a_directory_above(allowed: Path, outside: Path) -> None:
    (allowed / "below").rename(allowed / "moved")
    (allowed / "below").symlink_to(outside)


def the_allowed_directory_itself(allowed: Path, outside: Path) -> None:
    allowed.rename(allowed.with_name("moved"))
    (outside / "below").symlink_to(outside)
    allowed.symlink_to(outside)


@pytest.mark.parametrize("swap", [the_file, its_directory, a_directory_above, the_allowed_directory_itself])
@pytest.mark.parametrize("open_file", [FileWindow, open_regular, stamp_at])
def test_a_link_in_the_place_of_what_was_looked_at_is_not_followed(
    allowed: Path, outside: Path, swap: Swap, open_file: Callable[[Path], object]
) -> None:
    found = seen(str(allowed / "below" / "deeper" / "image"), allowed)
    swap(allowed, outside)
    with pytest.raises(DriverInvalid, match="image cannot be opened"):
        open_file(found)


def test_a_link_that_was_there_when_it_was_looked_at_is_followed_then(allowed: Path) -> None:
    (allowed / "link").symlink_to(allowed / "below")
    found = seen(str(allowed / "link" / "deeper" / "image"), allowed)
    window = FileWindow(found)
    assert window.head(4) == b"QFI\xfb"
    window.close()


@pytest.mark.parametrize("name", ["below", "nothing"])
def test_what_is_no_file_is_not_opened(allowed: Path, name: str) -> None:
    with pytest.raises(DriverInvalid):
        open_regular(allowed / name)


def test_a_pipe_keeps_nobody_waiting(allowed: Path) -> None:

    os.mkfifo(allowed / "pipe")
    with pytest.raises(DriverInvalid, match="no regular file"):
        open_regular(allowed / "pipe")
