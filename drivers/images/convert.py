"""qemu-img under limits: only for files that the reader has looked at, always with both formats said."""

from __future__ import annotations

import asyncio
import contextlib
import re

from drivers.base import DriverFailed, DriverInvalid, DriverNoSpace, DriverUnsupported, ImageFile, Progress

SOURCES = frozenset({"raw", "qcow2", "vmdk", "vdi", "vpc", "vhdx"})
TARGETS: dict[str, tuple[str, ...]] = {"raw": (), "qcow2": (), "vmdk": ("-o", "subformat=streamOptimized")}
"""Formats that can be made, with the options that qemu-img needs for them."""
MEMORY = 1024**3
LEAST_CPU_SECONDS = 120
BYTES_PER_CPU_SECOND = 8 * 1024**2
AT_ONCE = 2
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "MALLOC_ARENA_MAX": "2"}
"""Without the bound each of qemu-img's threads reserves 64 MiB of addresses, and many of them the whole MEMORY."""
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
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=ENVIRONMENT
            )
        except FileNotFoundError:
            raise DriverUnsupported("qemu-img and prlimit are not installed on the gateway's host") from None
        try:
            assert process.stdout is not None and process.stderr is not None
            words, _ = await asyncio.gather(process.stderr.read(4096), _follow(process.stdout, progress))
            code = await process.wait()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await asyncio.shield(process.wait())
        if code != 0:
            raise _failure(code, words.decode(errors="replace"))


def _command(source: ImageFile, target: ImageFile, virtual_size: int) -> list[str]:
    seconds = LEAST_CPU_SECONDS + virtual_size // BYTES_PER_CPU_SECOND
    limits = ["prlimit", f"--cpu={seconds}", f"--as={MEMORY}", "--core=0", "--nofile=64", "--"]
    formats = ["-f", source.format, "-O", target.format, *TARGETS[target.format]]
    return [*limits, "qemu-img", "convert", "-p", "-t", "writeback", *formats, "--", str(source.path), str(target.path)]


async def _follow(output: asyncio.StreamReader, progress: Progress) -> None:
    """Read the progress: qemu-img writes ``(12.34/100%)`` again and again on one line."""
    while text := await output.read(1024):
        percentages = PROGRESS.findall(text)
        if percentages:
            progress(int(percentages[-1]), 100)


def _failure(code: int, words: str) -> Exception:
    text = " ".join(words.split())[:300]
    if "No space left" in text:
        return DriverNoSpace("the staging directory is full: the image could not be converted")
    if code < 0:
        return DriverInvalid("converting the image took more time or memory than it may; it is broken or a bomb")
    return DriverFailed(f"qemu-img could not convert the image: {text}")
