"""The manual page and the completion are what the command tells of itself today."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gateway.cli import PLACES
from tools.manual import FILES, page


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_is_installed_is_what_the_command_says_today(path: Path) -> None:
    assert path.read_text() == FILES[path](), "make manual"


def test_the_manual_page_has_every_command() -> None:
    sections = [line.split()[1] for line in page().splitlines() if line.startswith(".SS ")]
    assert {*sections} == {*PLACES}


def test_roff_has_no_complaint_about_the_manual_page() -> None:
    command = ["man", "--warnings", "-l", "-"]
    done = subprocess.run(command, input=page(), capture_output=True, text=True, check=True, env={"MANWIDTH": "80"})
    assert done.stderr == ""
    assert "jobs tail" in done.stdout
