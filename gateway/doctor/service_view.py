"""Looking at the host as the service does: with its user, and with the files that its unit lets it see.

systemd itself runs the command again, with the properties of the unit as it is loaded, drop-ins included.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from gateway.errors import GatewayError

UNIT = "cimi-gateway.service"
RUNNING = Path("/run/systemd/system")
"""A directory that is there while systemd is the init of this host."""
PROPERTIES = (
    "User", "Group", "SupplementaryGroups", "UMask",
    "ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices",
    "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "NoExecPaths",
    "BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem", "RootDirectory",
    "StateDirectory", "StateDirectoryMode", "CacheDirectory", "CacheDirectoryMode",
)  # fmt: skip
"""What decides which files the service can read and write."""
WAIT_SECONDS = 180


class NoViewError(GatewayError):
    """The failure to look in the service's place."""


def unit_properties() -> dict[str, str] | None:
    """Return what systemd has loaded of the unit; None where systemd does not run or has no such unit.

    Raises NoViewError when systemd does not answer.
    """
    if not RUNNING.is_dir():
        return None
    command = ["systemctl", "show", UNIT, "--property", ",".join(("LoadState", *PROPERTIES))]
    done = _run(command)
    properties = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return properties if properties.get("LoadState") == "loaded" else None


def service_user(properties: Mapping[str, str]) -> str:
    """Return the name of the user as whom the unit runs."""
    return properties.get("User") or "root"


def can_look(properties: Mapping[str, str] | None) -> bool:
    """Return whether this process may have systemd look in the service's place: only root may."""
    return properties is not None and os.geteuid() == 0


def command_of(properties: Mapping[str, str], *words: str) -> list[str]:
    """Return the command by which systemd runs ``cimi-gateway`` with these words in the service's place."""
    settings = [f"--property={name}={properties[name]}" for name in PROPERTIES if properties.get(name)]
    path = f"--setenv=PYTHONPATH={os.environ.get('PYTHONPATH', '')}"
    run = ["systemd-run", "--quiet", "--collect", "--wait", "--pipe", "--service-type=exec", path, *settings, "--"]
    return [*run, sys.executable, "-P", "-m", "gateway", *words]


def look(properties: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``cimi-gateway`` with these words as the service would, and return what it wrote and its exit status.

    Raises NoViewError when systemd, or what it runs, comes to no end.
    """
    return _run(command_of(properties, *words))


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS)  # noqa: S603
    except subprocess.TimeoutExpired:
        reason = f"{command[0]} came to no end in {WAIT_SECONDS} seconds"
    except OSError as error:
        reason = f"{command[0]} cannot be run: {error.strerror}"
    raise NoViewError(f"{reason}; with --here this looks without systemd, as who runs it")
