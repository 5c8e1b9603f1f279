"""An image inside an archive is read where it stands, as long as the archive stays what it was."""

from __future__ import annotations

import os
from contextlib import aclosing
from pathlib import Path

import pytest

from drivers.base import DriverInvalid, FilePart
from drivers.images.window import stamp_at
from gateway.orchestration.images.pieces import of_file
from tests.empty_image import qcow2
from tests.plain_reader import inspect

AROUND = os.urandom(700)


def archive(tmp_path: Path, content: bytes) -> FilePart:
    path = tmp_path / "archive"
    path.write_bytes(AROUND + content + AROUND)
    return FilePart(path, len(AROUND), len(content), stamp_at(path))


async def test_its_bytes_are_those_of_the_part(tmp_path: Path) -> None:
    content = os.urandom(3 * 1024**2 + 5)
    async with aclosing(of_file(archive(tmp_path, content))) as pieces:
        assert b"".join([piece async for piece in pieces]) == content


def test_an_image_is_recognised_in_it(tmp_path: Path) -> None:
    content = qcow2()
    facts = inspect(archive(tmp_path, content))
    assert (facts.format, facts.file_size) == ("qcow2", len(content))


def test_nothing_is_read_behind_its_end(tmp_path: Path) -> None:
    """Tables that lie in what follows in the archive."""
    whole = archive(tmp_path, qcow2())
    with pytest.raises(DriverInvalid, match="cut off"):
        inspect(FilePart(whole.path, whole.offset, 80, whole.stamp))


def test_an_archive_that_was_changed_is_refused(tmp_path: Path) -> None:
    part = archive(tmp_path, qcow2())
    part.path.write_bytes(part.path.read_bytes() + b"more")
    with pytest.raises(DriverInvalid, match="archive was changed since it was looked at"):
        inspect(part)


async def test_an_archive_that_is_changed_meanwhile_is_refused_at_the_end(tmp_path: Path) -> None:
    part = archive(tmp_path, bytes(3 * 1024**2))
    async with aclosing(of_file(part)) as pieces:
        await anext(pieces)
        os.utime(part.path, ns=(1, 1))
        with pytest.raises(DriverInvalid, match="was changed"):
            [piece async for piece in pieces]
