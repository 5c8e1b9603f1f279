"""The manual pages and the completions are what the commands tell of themselves today."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from cimi_command.tree import VERBS

from gateway.cli import PLACES
from tools.manual import CLIENT, FILES, GATEWAY, Program, page


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_is_installed_is_what_the_command_says_today(path: Path) -> None:
    assert path.read_text() == FILES[path](), "make manual"


@pytest.mark.parametrize(("program", "commands"), [(GATEWAY, PLACES), (CLIENT, VERBS)], ids=["gateway", "client"])
def test_the_manual_page_has_every_command(program: Program, commands: Mapping[str, object]) -> None:
    sections = [line.split()[1] for line in page(program).splitlines() if line.startswith(".SS ")]
    assert {*sections} == {*commands}


@pytest.mark.parametrize(("program", "words"), [(GATEWAY, "jobs tail"), (CLIENT, "image upload")])
def test_roff_has_no_complaint_about_the_manual_page(program: Program, words: str) -> None:
    command = ["man", "--warnings", "-l", "-"]
    done = subprocess.run(
        command, input=page(program), capture_output=True, text=True, check=True, env={"MANWIDTH": "80"}
    )
    assert done.stderr == ""
    assert words in done.stdout
