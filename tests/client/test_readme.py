"""The shell blocks of README: each is run here, or by the test that is named for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api import in_memory_gateway
from tests.api.in_memory_gateway import PASSWORD
from tests.empty_image import qcow2
from tests.place import ROOT

README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"(?:^    .*\n)+", re.MULTILINE)
ADDRESS = "http://127.0.0.1:8080/cimi"
ELSEWHERE = {
    "make guest run": "tests/system/test_tutorial.py",
    ". .venv/bin/activate": "tests/system/test_tutorial.py",
    "apt-get install --no-install-recommends build-essential": "tests/host/test_debian_package.py",
    "apt-get install --no-install-recommends make": "tests/host/test_systemd_host.py",
    "cimi-gateway conformance": "tests/conformance/test_command.py",
}
"""Blocks that need a host of their own, by how they begin, and the tests that do what they say."""


def blocks() -> list[str]:
    return ["".join(line[4:] for line in block.splitlines(keepends=True)) for block in BLOCK.findall(README)]


def block_with(words: str) -> str:
    [block] = [block for block in blocks() if words in block]
    return block


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout as far as the blocks see it: with images in var/images, and one beside."""
    checkout = tmp_path_factory.mktemp("checkout")
    images = checkout / "var" / "images"
    images.mkdir(parents=True)
    for path in (images / "demo.qcow2", checkout / "guest.qcow2"):
        path.write_bytes(qcow2())
    return checkout


@pytest.fixture(scope="module")
def gateway(place: Path) -> Iterator[str]:
    running = in_memory_gateway.start(place / "var", 'socket = "socket"')
    yield f"http://{running.listen}/cimi"
    running.stop()


def ran(block: str, place: Path, gateway: str) -> str:
    """Run a block against the gateway; what it prints."""
    for name, module in (("cimi", "cimi_command"), ("cimi-gateway", "gateway")):
        program = place / name
        paths = f"{ROOT}:{ROOT / 'client'}"
        program.write_text(f'#!/bin/sh\nPYTHONPATH={paths} exec {sys.executable} -m {module} "$@"\n')
        program.chmod(0o755)
    access = {"CIMI_URL": f"{gateway}/", "CIMI_USER": "admin", "CIMI_PASSWORD": PASSWORD}
    done = subprocess.run(
        ["bash", "-e", "-u", "-c", block.replace(ADDRESS, gateway)],
        cwd=place,
        env={**os.environ, **access, "PATH": f"{place}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_main_job_is_done_with_curl_line_by_line(place: Path, gateway: str) -> None:
    out = ran(block_with("field() {"), place, gateway)
    assert '"state":"STARTED"' in out
    assert '"state":"SUCCESS"' in out
    assert out.rstrip().endswith("</Collection>")
    assert "<count>0</count>" in out


def test_the_block_of_the_command_works_line_by_line(place: Path, gateway: str) -> None:
    out = ran(block_with("cimi image upload"), place, gateway)
    assert "web3" in out


def test_no_block_is_left_out_and_the_tests_named_for_others_are_there() -> None:
    here = ("field() {", "cimi image upload")
    rest = [block for block in blocks() if not any(words in block for words in here)]
    assert [block for block in rest if not block.startswith(tuple(ELSEWHERE))] == []
    assert [test for test in ELSEWHERE.values() if not (ROOT / test).exists()] == []
