"""What the quick start promises: from the catalogue to a shell in a guest, by the command alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.guest_image import build
from tests.gateway_process import PASSWORD, GatewayProcess
from tests.patience import PATIENCE
from tests.place import ROOT


@pytest.fixture(scope="module")
def gateway(pool: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    home = tmp_path_factory.mktemp("gateway")
    (home / "images").mkdir()
    build(home / "images" / "demo.qcow2", login=True)
    process = GatewayProcess(home, pool, home / "images", image_settings=f'catalog = "{ROOT / "etc/catalog.toml"}"')
    process.prepare()
    process.start()
    yield process
    process.clear()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "id")], check=True)
    return tmp_path / "id.pub"


def cimi(gateway: GatewayProcess, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command with an own home, so that nobody's known hosts are changed."""
    access = {"CIMI_URL": gateway.base, "CIMI_USER": "operator", "CIMI_PASSWORD": PASSWORD, "HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "cimi_command", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "client"), **access},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_the_guest_of_the_catalogue_lets_in_whoever_has_the_key(
    gateway: GatewayProcess, key: Path, tmp_path: Path
) -> None:
    """One guest for the whole walk: fetched, launched, logged into, and again after a restart, as the same host."""
    known = ("-o", f"UserKnownHostsFile={tmp_path / 'known'}", "-i", str(key.with_suffix("")))
    launched = cimi(gateway, tmp_path, "launch", "demo", "web1", "--memory", "256MiB", "--key", str(key))
    assert launched.returncode == 0, launched.stderr
    said = cimi(gateway, tmp_path, "ssh", "web1", *known, "id -un; hostname")
    assert said.stdout.split() == ["demo", "web1"], said.stderr
    assert cimi(gateway, tmp_path, "restart", "web1").returncode == 0
    again = cimi(gateway, tmp_path, "ssh", "web1", *known, "hostname")
    assert again.stdout.split() == ["web1"], again.stderr
    assert cimi(gateway, tmp_path, "delete", "web1").returncode == 0
