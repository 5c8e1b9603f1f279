"""The blocks of docs/tutorial.md, run in their order as a newcomer would, by a gateway and a guest of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.guest_image import build
from tests.gateway_process import GatewayProcess
from tests.place import ROOT

TUTORIAL = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = "unix:$PWD/var/socket"
"""Where the tutorial's gateway is; the test's is elsewhere."""
SECONDS = 600


@pytest.fixture(scope="module")
def gateway(pool: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """The gateway that `make guest run` starts, as far as the tutorial sees it."""
    home = tmp_path_factory.mktemp("gateway")
    (home / "images").mkdir()
    build(home / "images" / "demo.qcow2", login=True)
    catalog = f'catalog = "{ROOT / "etc/catalog.toml"}"'
    process = GatewayProcess(home, pool, home / "images", image_settings=catalog, server='socket = "socket"')
    process.prepare()
    process.start()
    yield process
    process.clear()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home, and a path on which `make` has been run already and `cimi` is this checkout's."""
    programs = tmp_path / "bin"
    programs.mkdir()
    # ssh looks for keys and known hosts in the home of the user, whatever HOME says.
    ssh = f'exec /usr/bin/ssh -i {tmp_path}/.ssh/id_ed25519 -o UserKnownHostsFile={tmp_path}/known "$@"'
    cimi = f'PYTHONPATH={ROOT / "client"} exec {sys.executable} -m cimi_command "$@"'
    for name, line in (("make", f"echo make $* >>{tmp_path}/made"), ("ssh", ssh), ("cimi", cimi)):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text("")
    given = {"HOME": str(tmp_path), "PATH": f"{programs}:{os.environ['PATH']}"}
    return {**os.environ, **given, "XDG_CONFIG_HOME": str(tmp_path / "config")}


def test_each_line_of_the_tutorial_works_and_nothing_is_left(
    gateway: GatewayProcess, environment: dict[str, str], tmp_path: Path
) -> None:
    blocks = BLOCK.findall(TUTORIAL.read_text())
    assert len(blocks) > 8
    script = "".join(f"echo '== {number}'\n{block}" for number, block in enumerate(blocks, start=1))
    (tmp_path / "tutorial.sh").write_text(script.replace(ADDRESS, f"unix:{gateway.home}/socket"))
    done = subprocess.run(
        ["bash", "-e", "-u", "-o", "pipefail", "tutorial.sh"],
        stdin=subprocess.DEVNULL,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "made").read_text() == "make guest run\n"
    assert "Linux web1" in done.stdout
    assert "vdb" in done.stdout
    assert "\nweb1\n" in done.stdout
    admin = gateway.client("admin")
    assert [admin.get(name)["count"] for name in ("machines", "volumes")] == [0, 0]
