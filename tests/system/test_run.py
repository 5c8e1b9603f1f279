"""What `make run` does after its set-up, as somebody who has just cloned the project sees it."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cimi_client import wait_until
from tests.gateway_process import free_port

pytestmark = pytest.mark.qemu
ROOT = Path(__file__).resolve().parents[2]
TOKEN = re.compile(r"cimi-gateway token add admin .*")
Run = Callable[[], subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def listen() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clone") / "var"


@pytest.fixture
def run(state: Path, listen: str) -> Iterator[Run]:
    """Start it; its output is in ``output`` beside the state."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        environment = {**os.environ, "STATE": str(state), "LISTEN": listen}
        with output_of(state).open("wb") as output:
            command = [str(ROOT / "tools/run.sh")]
            started.append(subprocess.Popen(command, cwd="/", env=environment, stdout=output, stderr=output))
        wait_until(lambda: "listening" in output_of(state).read_text(), 60, "the gateway listens")
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def output_of(state: Path) -> Path:
    return state.with_name("output")


def asked(listen: str, token: str, method: str, path: str, document: dict[str, Any] | None = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(f"http://{listen}/cimi/{path}", body, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        answered: dict[str, Any] = json.load(answer)
    return answered


def test_the_first_run_makes_an_admin_serves_and_ends_by_sigterm_and_the_second_goes_on(
    run: Run, state: Path, listen: str
) -> None:
    first = run()
    output = output_of(state).read_text()
    assert f"serving http://{listen}/cimi/" in output
    assert "password" not in output.replace("needs no password", "")
    (command,) = TOKEN.findall(output)
    token = subprocess.run(
        [str(ROOT / ".venv/bin/cimi-gateway"), *command.split()[1:]], capture_output=True, text=True, check=True
    ).stdout.strip()
    made = asked(listen, token, "POST", "machineConfigs", {"name": "kept", "cpu": 1, "memory": 131072})["id"]
    assert stat.S_IMODE((state / "users").stat().st_mode) == 0o600
    assert stat.S_IMODE((state / "socket").stat().st_mode) == 0o660
    first.send_signal(signal.SIGTERM)
    assert first.wait(60) == 0
    second = run()
    assert asked(listen, token, "GET", made.partition("/cimi/")[2])["name"] == "kept"
    second.send_signal(signal.SIGTERM)
    assert second.wait(60) == 0


def test_a_port_that_is_taken_is_said_in_one_line(run: Run, state: Path, listen: str) -> None:
    run()
    environment = {**os.environ, "STATE": str(state.with_name("other")), "LISTEN": listen}
    done = subprocess.run(
        [str(ROOT / "tools/run.sh")], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert f"[server] listen = {listen}: " in line
