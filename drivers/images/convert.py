"""qemu-img under limits: only for files that the reader has looked at, always with both formats said."""

from __future__ import annotations

import asyncio
import re
from functools import partial

from drivers.base import DriverFailed, DriverInvalid, DriverNoSpace, DriverUnsupported, ImageFile, Progress
from drivers.images import tool
from drivers.images.tool import Ended

SOURCES = frozenset({"raw", "qcow2", "vmdk", "vdi", "vpc", "vhdx"})
TARGETS: dict[str, tuple[str, ...]] = {"raw": (), "qcow2": (), "vmdk": ("-o", "subformat=streamOptimized")}
"""Formats that can be made, with the options that qemu-img needs for them."""
MEMORY = 1024**3
LEAST_CPU_SECONDS = 120
BYTES_PER_CPU_SECOND = 8 * 1024**2
AT_ONCE = 2
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "MALLOC_ARENA_MAX": "2"}
"""Without the bound each of qemu-img's threads reserves 64 MiB of addresses, and many of them the whole MEMORY."""
SAID = 300
"""Characters of qemu-img's last words that stand in an error."""
PROGRESS = re.compile(rb"\((\d+)\.\d+/100%\)")


class QemuImg:
    """The converter by qemu-img (drivers.base.Converter); no more than two run at once."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def convert(self, source: ImageFile, target: ImageFile, virtual_size: int, progress: Progress) -> None:
        """Run qemu-img under limits that grow with ``virtual_size``, and remove the target after any failure."""
        if source.format not in SOURCES or target.format not in TARGETS:
            raise DriverInvalid(f"{source.format} cannot be converted to {target.format}")
        if not source.path.is_absolute() or not target.path.is_absolute():
            raise DriverInvalid("only absolute paths are converted")
        async with self._turns:
            try:
                await self._run(_command(source, target, virtual_size), progress)
            except BaseException:
                await asyncio.shield(asyncio.to_thread(target.path.unlink, missing_ok=True))
                raise

    async def _run(self, command: list[str], progress: Progress) -> None:
        try:
            ended = await tool.run(command, ENVIRONMENT, partial(_tell, progress))
        except FileNotFoundError:
            raise DriverUnsupported("qemu-img and prlimit are not installed on the gateway's host") from None
        if ended.code != 0:
            raise _failure(ended)


def _command(source: ImageFile, target: ImageFile, virtual_size: int) -> list[str]:
    seconds = LEAST_CPU_SECONDS + virtual_size // BYTES_PER_CPU_SECOND
    limits = ["prlimit", f"--cpu={seconds}", f"--as={MEMORY}", "--core=0", "--nofile=64", "--"]
    formats = ["-f", source.format, "-O", target.format, *TARGETS[target.format]]
    return [*limits, "qemu-img", "convert", "-p", "-t", "writeback", *formats, "--", str(source.path), str(target.path)]


def _tell(progress: Progress, piece: bytes) -> None:
    """Tell the progress: qemu-img writes ``(12.34/100%)`` again and again on one line."""
    percentages = PROGRESS.findall(piece)
    if percentages:
        progress(int(percentages[-1]), 100)


def _failure(ended: Ended) -> Exception:
    if "No space left" in ended.words:
        return DriverNoSpace("the staging directory is full: the image could not be converted")
    if ended.code < 0:
        return DriverInvalid("converting the image took more time or memory than it may; it is broken or a bomb")
    return DriverFailed(f"qemu-img could not convert the image: {ended.words[-SAID:]}")
