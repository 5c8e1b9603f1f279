"""A program of the host that works on image files: its words and its end, whatever becomes of who waits for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

LAST_WORDS = 4096
"""Bytes of what a program complains of that are kept: the last ones say why it ended."""
PIECE = 1024


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a program: its exit code, negative for a signal, and its last words on standard error, on one line."""

    code: int
    words: str


def _ignore(_piece: bytes) -> None:
    """Take no interest in what a program prints."""


async def run(
    command: Sequence[str], environment: Mapping[str, str], printed: Callable[[bytes], None] = _ignore
) -> Ended:
    """Run the command to its end, and call ``printed`` with each piece of its standard output.

    The program is killed when the caller is cancelled. Raises FileNotFoundError when there is no such program.
    """
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=environment
    )
    try:
        assert process.stdout is not None and process.stderr is not None
        words, _ = await asyncio.gather(_last(process.stderr), _follow(process.stdout, printed))
        code = await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
    return Ended(code, " ".join(words.decode(errors="replace").split()))


async def _last(output: asyncio.StreamReader) -> bytes:
    """Read to the end, so that the program never waits for its reader, and return the last bytes."""
    kept = b""
    while piece := await output.read(PIECE):
        kept = (kept + piece)[-LAST_WORDS:]
    return kept


async def _follow(output: asyncio.StreamReader, printed: Callable[[bytes], None]) -> None:
    while piece := await output.read(PIECE):
        printed(piece)
