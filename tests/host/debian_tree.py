"""A Debian 12 root file system with systemd and what the README has installed, made once and kept in /var/tmp.

It comes from where this machine has its own Debian packages; pip's packages for an installation without network come
from where its pip has them. Both are kept under names that say what is in them, and made under a lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path

from tests.source import ROOT, copy_source

SUITE = "bookworm"
KEPT = Path("/var/tmp")
PREFIX = "cimi-gateway-host-"
UNUSED_SECONDS = 14 * 86400
BASE = ("systemd-sysv", "dbus", "iproute2", "procps", "curl", "man-db", "bash-completion")
"""What a Debian host has beside mmdebstrap's smallest variant."""
BUILD = ("setuptools>=68", "wheel")
MISSING_CLOCK = ("Check-Valid-Until", "Check-Date")
"""Checks of apt that fail on a machine whose clock is off; the signatures are checked all the same."""


def tree(packages: list[str]) -> Path:
    """Return the directory of the root file system with these packages; it is to be read only."""
    included = sorted({*BASE, *packages})
    return _kept("root", " ".join((SUITE, *included)), lambda target: _make_tree(target, included))


def wheels() -> Path:
    """Return a directory with all that pip needs to install the gateway without an index."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    wanted = " ".join((parser["options"]["install_requires"], *BUILD, sys.version.split()[0]))
    return _kept("wheels", wanted, _make_wheels)


def locked_wheels() -> Path:
    """Return a directory with the packages of the lock file that a Debian package brings along."""
    lock = ROOT / "requirements/run.txt"
    return _kept("locked", lock.read_text() + sys.version.split()[0], _make_locked_wheels)


def _kept(kind: str, content: str, make: Callable[[Path], None]) -> Path:
    """Return what was made of this content before, or make it; another process waits for it meanwhile."""
    place = KEPT / f"{PREFIX}{kind}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    with _lock():
        if not place.exists():
            _remove_unused()
            partial = place.with_name(f"{place.name}.partial")
            _remove(partial)
            make(partial)
            partial.rename(place)
        # When it was last used.
        (place.with_name(f"{place.name}.used")).touch()
    return place


@contextmanager
def _lock() -> Iterator[None]:
    with (KEPT / f"{PREFIX}lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_unused() -> None:
    for mark in KEPT.glob(f"{PREFIX}*.used"):
        if time.time() - mark.stat().st_mtime > UNUSED_SECONDS:
            _remove(mark.with_suffix(""))
            mark.unlink()


def _remove(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)


def _make_tree(target: Path, packages: list[str]) -> None:
    """mmdebstrap with this machine's own sources of packages."""
    options = ["--dpkgopt=force-unsafe-io", *(f'--aptopt=Acquire::{name} "false"' for name in MISSING_CLOCK)]
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join(packages)}", *options]
    _run([*command, SUITE, str(target), *_sources()])


def _sources() -> list[str]:
    """Return the files that say where apt gets its packages here."""
    directory = Path("/etc/apt/sources.list.d")
    files = [Path("/etc/apt/sources.list"), *sorted(directory.glob("*.list")), *sorted(directory.glob("*.sources"))]
    found = [str(file) for file in files if file.is_file() and "debian" in file.read_text()]
    assert found, "apt has no source of Debian packages on this machine"
    return found


def _make_wheels(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=KEPT) as source:
        copy_source(Path(source))
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--dest", str(target), source, *BUILD])


def _make_locked_wheels(target: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([*pip, "--require-hashes", "--dest", str(target), "-r", str(ROOT / "requirements/run.txt")])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
