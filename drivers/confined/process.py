"""A reading process, seen from the gateway: asked, given the bytes that it wants, and killed at its deadline."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import structlog

from drivers.confined.errors import BytesTooSlow, ReaderAway, ReaderDied, Unreadable
from drivers.confined.forms import WrongForm, form_of, value_of
from drivers.confined.frames import LENGTHS, READY, BrokenFrame, Frame, document_of, lengths_of
from drivers.confined.limits import Limits, oom_kills
from drivers.confined.reading import Answer, More, Question, Reading

MODULE = "drivers.confined"
PACKAGES = Path(__file__).parents[2]
"""The directory in which this process has ``drivers`` and ``gateway``."""
MOST_PIECES = 512
"""The number of times that a reading may ask for more bytes."""
LARGEST_PIECE = 8 * 1024**2
SLICE = 256 * 1024
"""Bytes that are given to the pipe at once."""
LARGE = 16 * 1024
"""Bytes of an answer from which on it is taken apart beside the event loop."""
DIED = "reading it took more time or memory than it may, or ended its reader; it is broken, or made to do harm"
UNREADY = "no process could begin to read it; try again later"
ENDED = "who read it was ended, for it is the host that lacks memory, or stops; try again later"
ORDERED = frozenset({-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP})
"""Exit codes of a process that was asked to end, as all of a service are when it stops."""
LAST_OFFSET = 2**63 - 1 - LARGEST_PIECE
LONGEST_REFUSAL = 2000
"""Characters of what a reader says of the bytes."""
SLOW = "it was not read to its end: its bytes came too slowly; try again later"
log = structlog.get_logger("readers")


class ReaderProcess:
    """A process that reads for one asker at a time."""

    def __init__(self, process: asyncio.subprocess.Process, limits: Limits) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process = process
        self._to, self._from = process.stdin, process.stdout
        self._limits = limits
        self.readings = 0
        self.listening = True
        """It waits for a question. When a reading was left in the middle it does not, and has to be ended."""

    @classmethod
    async def start(cls, limits: Limits) -> ReaderProcess:
        """Start a process under these limits. Raises OSError when the host cannot."""
        pipe = asyncio.subprocess.PIPE
        # Without ``site``: what it looks for is in the environment, and takes a quarter of the start.
        command = [sys.executable, "-P", "-S", "-B", "-m", MODULE, str(limits.cpu_seconds), str(limits.memory)]
        return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, env=_environment()), limits)

    @property
    def alive(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.returncode is None

    async def ask(
        self, reading: Reading[Question, Answer], question: Question, content: bytes, more: More | None
    ) -> Answer:
        """Return the answer.

        Raises Unreadable for what is refused, ReaderDied when the process dies of it, ReaderAway when it dies of
        something else, and BytesTooSlow when all takes longer than a conversation may.
        """
        self.readings += 1
        self.listening = False
        document = {"reading": reading.place, "question": form_of(question)}
        try:
            words = await self._in_time(self._conversed(Frame(document, content), more))
            self.listening = True
            if len(words) < LARGE:
                return _understood(reading, words)
            return await asyncio.to_thread(_understood, reading, words)
        except (BrokenFrame, WrongForm, RecursionError) as error:
            # Who says that is not asked again, whatever state it is in.
            self.listening = False
            log.error("a reader said what it cannot say", reading=reading.place, error=str(error))
            raise Unreadable("it cannot be read") from None

    async def _in_time(self, conversation: Awaitable[bytes]) -> bytes:
        """Return what the conversation comes to. Raises BytesTooSlow when it takes too long; the process is ended."""
        clock = asyncio.timeout(self._limits.conversation)
        try:
            async with clock:
                return await conversation
        except TimeoutError:
            if not clock.expired():
                raise
            await self.end()
            log.warning("a reader waited too long for bytes", seconds=self._limits.conversation)
            raise BytesTooSlow(SLOW) from None

    async def _conversed(self, question: Frame, more: More | None) -> bytes:
        """Return the words of the last message, after the process was given all that it asked for."""
        kills = oom_kills()
        await self._begun(question)
        left, pieces, frame = self._limits.deadline, 0, None
        while True:
            began = time.monotonic()
            words = await self._exchanged(frame, left, kills)
            left -= time.monotonic() - began
            wanted = document_of(words).get("more") if len(words) < LARGE else None
            if wanted is None:
                return words
            pieces += 1
            frame = await _supplied(wanted, more, pieces)

    async def _begun(self, question: Frame) -> None:
        """Put the question, and wait until the process is ready. Raises ReaderAway: no byte was looked at yet."""
        try:
            async with asyncio.timeout(self._limits.deadline):
                await self._say(question)
                if await self._heard() != READY.encoded()[LENGTHS.size :]:
                    raise BrokenFrame
        except (BrokenFrame, asyncio.IncompleteReadError, ConnectionError, TimeoutError) as error:
            code = await self.end()
            log.warning("a reader was not ready", reason=type(error).__name__, code=code)
            raise ReaderAway(UNREADY) from None

    async def _exchanged(self, frame: Frame | None, seconds: float, kills: int) -> bytes:
        """Say this, and return the words of the answer.

        Raises ReaderDied when none comes in time, and ReaderAway when someone else ended the process.
        """
        try:
            async with asyncio.timeout(seconds):
                if frame is not None:
                    await self._say(frame)
                return await self._heard()
        except (BrokenFrame, TimeoutError) as error:
            log.warning("a reader died", reason=type(error).__name__, code=await self.end())
            raise ReaderDied(DIED) from None
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            code = await self.end()
            if _ended_by_others(code, kills):
                log.warning("a reader was ended", code=code)
                raise ReaderAway(ENDED) from None
            log.warning("a reader died", reason=type(error).__name__, code=code)
            raise ReaderDied(DIED) from None

    async def _say(self, frame: Frame) -> None:
        message = memoryview(frame.encoded())
        for start in range(0, len(message), SLICE):
            self._to.write(message[start : start + SLICE])
            await self._to.drain()

    async def _heard(self) -> bytes:
        """Return the words of the next message. Raises BrokenFrame."""
        words, data = lengths_of(await self._from.readexactly(LENGTHS.size))
        return (await self._from.readexactly(words + data))[:words]

    async def end(self) -> int:
        """Kill the process, unless it has ended, and return its exit code."""
        # Popen's own kill looks whether the process has ended, and so takes its exit code away from asyncio.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
        self._to.close()
        return await asyncio.shield(self._process.wait())


def _understood(reading: Reading[Question, Answer], words: bytes) -> Answer:
    """Return the answer that these words give. Raises Unreadable, WrongForm, BrokenFrame."""
    said = document_of(words)
    if "refused" in said:
        raise Unreadable(_plain(said["refused"]))
    if "failed" in said:
        log.error("a reader failed", reading=reading.place, error=_plain(said["failed"]))
        raise Unreadable("it cannot be read; it is broken in a way that the reader does not know")
    answer: Answer = value_of(reading.answer, said.get("answer"))
    return answer


async def _supplied(wanted: Any, more: More | None, pieces: int) -> Frame:
    """Return the bytes that the process asks for. Raises Unreadable when that is too much to ask, WrongForm."""
    offset, length = value_of(tuple[int, int], wanted)
    if pieces > MOST_PIECES or not 0 <= length <= LARGEST_PIECE or not 0 <= offset <= LAST_OFFSET:
        raise Unreadable("its parts are too widely scattered")
    data = await more(offset, length) if more is not None else None
    return Frame({"there": data is not None}, data or b"")


def _plain(said: object) -> str:
    """Return what a reader says to people, as text that can be shown to them."""
    if not isinstance(said, str):
        raise WrongForm("words are no text")
    return said[:LONGEST_REFUSAL].encode("utf-8", "replace").decode()


def _ended_by_others(code: int, kills: int) -> bool:
    """Return whether a process that was reading was ended for no fault of the bytes.

    The kernel's OOM killer takes readers first (oom_score_adj), whoever took the memory: mostly guests. What a reader
    itself may take is limited by RLIMIT_AS, of which it dies by MemoryError. Any other SIGKILL is its own doing.
    """
    return code in ORDERED or (code == -signal.SIGKILL and oom_kills() > kills)


def _environment() -> dict[str, str]:
    """Return what finds the same modules as this process does, and nothing else of its surroundings."""
    places = [str(PACKAGES), *(place for place in sys.path if place.startswith("/"))]
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONPATH": os.pathsep.join(places)}
