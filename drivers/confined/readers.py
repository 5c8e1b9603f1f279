"""The reading processes of a gateway: started when they are needed, used again, and never more than a few at once."""

from __future__ import annotations

import asyncio

from drivers.confined.errors import ReaderAway, ReaderDied
from drivers.confined.limits import Limits
from drivers.confined.process import ReaderProcess
from drivers.confined.reading import Answer, More, Question, Reading

AT_ONCE = 2
MOST_READINGS = 1000
"""Readings after which a process is replaced, whatever it has kept of them."""


class ConfinedReaders:
    """The processes that read hostile bytes for the gateway; ``close`` ends all of them."""

    def __init__(self, limits: Limits | None = None, at_once: int = AT_ONCE) -> None:
        self._limits = limits or Limits()
        self._turns = asyncio.Semaphore(at_once)
        self._idle: list[ReaderProcess] = []
        self._busy: set[ReaderProcess] = set()
        self.deaths = 0
        """Processes that did not live to answer."""

    async def ask(
        self,
        reading: Reading[Question, Answer],
        question: Question,
        content: bytes = b"",
        more: More | None = None,
    ) -> Answer:
        """Return the answer of a process that is given ``content``, and asks by ``more`` for what else it wants to see.

        Raises Unreadable for what is refused, ReaderDied when the process dies of it, ReaderAway when none can
        begin, someone else ends it or the bytes come too slowly; what ``more`` raises, too.
        """
        async with self._turns:
            process = await self._next()
            self._busy.add(process)
            try:
                return await process.ask(reading, question, content, more)
            except ReaderDied:
                self.deaths += 1
                raise
            finally:
                self._busy.discard(process)
                await self._put_back(process)

    async def _next(self) -> ReaderProcess:
        while self._idle:
            process = self._idle.pop()
            if process.alive:
                return process
            await process.end()
        try:
            return await ReaderProcess.start(self._limits)
        except OSError as error:
            raise ReaderAway(f"no process can be started to read it: {error.strerror}; try again later") from None

    async def _put_back(self, process: ReaderProcess) -> None:
        if process.listening and process.alive and process.readings < MOST_READINGS:
            self._idle.append(process)
        else:
            await process.end()

    async def close(self) -> None:
        """End all processes, those that read too."""
        for process in (*self._idle, *self._busy):
            await process.end()
        self._idle.clear()
