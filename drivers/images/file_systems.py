"""File systems on raw bytes, by the host's mkfs tools: nothing is mounted, and each tool runs under limits.

The tools see a file that the gateway made, and nothing that a stranger wrote. Bytes that they leave out stay holes, so
that the file of a large file system takes little room.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from drivers.base import DriverFailed, DriverInvalid, DriverNoSpace, DriverUnsupported
from drivers.images import tool
from drivers.images.tool import Ended

_EXT = ("-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard")
"""Force: it is no device; tables and journal are zeroed by the guest, which the file's holes are already."""
COMMANDS: dict[str, tuple[str, ...]] = {
    "ext2": ("mkfs.ext2", *_EXT),
    "ext3": ("mkfs.ext3", *_EXT),
    "ext4": ("mkfs.ext4", *_EXT),
    "xfs": ("mkfs.xfs", "-q", "-f", "-K"),
    "vfat": ("mkfs.vfat",),
}
"""The command that makes each file system; the file follows it."""
PACKAGES = {
    "mkfs.ext2": "e2fsprogs",
    "mkfs.ext3": "e2fsprogs",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.xfs": "xfsprogs",
    "mkfs.vfat": "dosfstools",
}
"""The Debian package that has each tool."""
PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C"}
MEMORY = 1024**3
CPU_SECONDS = 120
DEADLINE = 600.0
"""Seconds."""
AT_ONCE = 2
SAID = 300
"""Characters of a tool's last words that stand in an error."""


class Mkfs:
    """The maker of file systems by mkfs (drivers.base.FileSystemMaker); no more than two run at once."""

    kinds = frozenset(COMMANDS)

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def make(self, kind: str, file: Path, size: int) -> None:
        """Run the tool on a file that is all hole, for ``DEADLINE`` seconds at most."""
        if kind not in COMMANDS:
            raise DriverInvalid(f"{kind} cannot be made")
        if not file.is_absolute():
            raise DriverInvalid("only absolute paths are written to")
        program = COMMANDS[kind][0]
        if not await asyncio.to_thread(lambda: installed(program) and installed("prlimit")):
            raise DriverUnsupported(f"{program} is not installed on the gateway's host")
        async with self._turns:
            await asyncio.to_thread(_empty, file, size)
            try:
                await _run(_command(kind, file, size))
            except BaseException:
                await asyncio.shield(asyncio.to_thread(file.unlink, missing_ok=True))
                raise


def installed(tool: str) -> bool:
    """Return whether the host has this program."""
    return shutil.which(tool, path=PATH) is not None


def _empty(file: Path, size: int) -> None:
    """Make a file of this many bytes that takes no room."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)


def _command(kind: str, file: Path, size: int) -> list[str]:
    limits = [f"--cpu={CPU_SECONDS}", f"--as={MEMORY}", f"--fsize={size}", "--core=0", "--nofile=64"]
    return ["prlimit", *limits, "--", *COMMANDS[kind], str(file)]


async def _run(command: list[str]) -> None:
    try:
        async with asyncio.timeout(DEADLINE):
            ended = await tool.run(command, ENVIRONMENT)
    except TimeoutError:
        raise DriverFailed(f"making the file system took more than {DEADLINE:g} seconds") from None
    if ended.code:
        raise _failure(ended)


def _failure(ended: Ended) -> Exception:
    if "No space left" in ended.words:
        return DriverNoSpace("the staging directory is full: the file system could not be made")
    if ended.code < 0:
        return DriverFailed("making the file system took more time, memory or room than it may")
    return DriverInvalid(ended.words[-SAID:] or f"the tool ended with {ended.code}")
