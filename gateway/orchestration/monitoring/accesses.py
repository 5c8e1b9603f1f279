"""Requests that no change tells of, as access events: those that were refused, and reads that take something out.

They have transactions of their own. Repeated requests of a client are told by their number, so that nobody fills the
log by asking.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import structlog

from drivers.supervision import Supervision
from gateway.addresses import source_of
from gateway.errors import GatewayError
from gateway.orchestration.common.contract import Caller, Role
from gateway.orchestration.monitoring.occurrences import (
    ADMINS,
    Occurrence,
    Request,
    accessed,
    meaningful_path,
)
from gateway.orchestration.monitoring.recorder import tell
from gateway.orchestration.monitoring.repeats import Allowance, Repeats, Sort
from gateway.store.store import Store

ONE_A_MINUTE = Allowance(1, 60.0)
"""Logins of a name from an address, and a viewer's changes."""
SOME_A_MINUTE = Allowance(20, 60.0)
"""Refused changes of those who may change something."""
ONE_IN_TEN_MINUTES = Allowance(1, 600.0)
"""Reads of one console, image or package: downloads come in parts."""
ONE_AN_HOUR = Allowance(1, 3600.0)
"""Reads of the metrics: a scraper comes every few seconds, for ever."""
COUNTED_A_MINUTE = Allowance(0, 60.0)
"""What strangers of an address ask for, in the audit log."""
METRICS = "metrics"
LOOK_EVERY = 5.0
MOST_WAITING = 1_000
"""Occurrences that are kept for a store which takes nothing now."""
log = structlog.get_logger("events")


class Accesses:
    """The writer of access events, by which those that wait at the same time share one write.

    Each request is answered, or begun, once its event is on disk, or a store that takes nothing has refused it.
    """

    def __init__(
        self, store: Store, clock: Callable[[], float] = time.monotonic, supervision: Supervision | None = None
    ) -> None:
        self._store = store
        self._supervision = supervision or Supervision()
        self._repeats = Repeats(clock)
        self._strangers = Repeats(clock)
        """What strangers ask for, apart: it costs them nothing, and hides nothing of what users do."""
        self._waiting: list[Occurrence] = []
        self._writing: asyncio.Task[None] | None = None

    def strange(self, request: Request, path: str, reason: str) -> None:
        """Count what nobody knows who asks for: the audit log has one entry a minute of each address."""
        entry = replace(request.entry(meaningful_path(path), "Failure", reason), user="", stranger=True)
        occurrence = Occurrence({}, ADMINS, entry=entry)
        self._strangers.is_new(("strange", source_of(request.address)), COUNTED_A_MINUTE, occurrence)

    async def login_refused(self, request: Request, path: str, reason: str) -> None:
        """Tell admins, and nobody else, that a name was claimed with a wrong password."""
        occurrence = accessed(request, meaningful_path(path), None, "Failure", reason)
        occurrence = replace(occurrence, audience=ADMINS, entry=None)
        await self._tell(("login", source_of(request.address), request.initiator), ONE_A_MINUTE, occurrence)

    async def refused(self, request: Request, path: str, reason: str, role: Role) -> None:
        """Tell that a user was refused."""
        path = meaningful_path(path)
        occurrence = accessed(request, path, await self._store.get(path), "Failure", reason)
        allowance = ONE_A_MINUTE if role is Role.VIEWER else SOME_A_MINUTE
        await self._tell(("refused", source_of(request.address), request.initiator), allowance, occurrence)

    async def taken(self, caller: Caller, path: str, verb: str) -> None:
        """Tell, before the first byte goes out, that a console, an image, a package or the metrics are read."""
        request = Request.of(caller, verb)
        occurrence = accessed(request, path, await self._store.get(path), "Success")
        sort, allowance = (METRICS, ONE_AN_HOUR) if verb == METRICS else ("taken", ONE_IN_TEN_MINUTES)
        await self._tell((sort, source_of(caller.address), caller.user, verb, path), allowance, occurrence)

    async def turn(self) -> None:
        """Tell what was counted in the times that are over."""
        with suppress(GatewayError):
            await self.tell_repeats()

    async def tell_repeats(self, *, all_of_them: bool = False) -> None:
        """Tell what was counted in the times that are over; with ``all_of_them``, in all times."""
        for counted in (self._repeats, self._strangers):
            self._waiting += counted.over(all_of_them=all_of_them)
        await self._write_waiting()

    async def _tell(self, sort: Sort, allowance: Allowance, occurrence: Occurrence) -> None:
        if self._repeats.is_new(sort, allowance, occurrence):
            self._waiting.append(occurrence)
            await self._write_waiting()

    async def _write_waiting(self) -> None:
        while self._writing is not None:
            await asyncio.wait({self._writing})
            if not self._waiting:
                return
        if self._waiting:
            self._writing = self._supervision.react("accesses", self._write())
            await asyncio.wait({self._writing})

    async def _write(self) -> None:
        """Write what waits; a store that cannot take it (full disk) does not change the answer.

        What it does not take waits for the next write: the first MOST_WAITING, and the others are lost.
        """
        occurrences, self._waiting = self._waiting, []
        try:
            async with self._store.transaction() as transaction:
                await tell(transaction, *occurrences)
        except GatewayError as error:
            waiting = [*occurrences, *self._waiting]
            self._waiting, lost = waiting[:MOST_WAITING], len(waiting[MOST_WAITING:])
            log.error("accesses not kept yet", waiting=len(self._waiting), lost=lost, reason=error.message)
        finally:
            self._writing = None
