"""A clock that jumps is told: what the time is taken for meanwhile, and what became of it."""

from __future__ import annotations

from datetime import timedelta

import structlog

from gateway import clock
from gateway.cimi.registry import CLOUD_ENTRY_POINT
from gateway.errors import GatewayError
from gateway.orchestration.monitoring.occurrences import Occurrence, alarm
from gateway.orchestration.monitoring.recorder import tell
from gateway.store.model import Resource
from gateway.store.store import Store

LOOK_EVERY = 10.0
log = structlog.get_logger("clock")


class ClockWatch:
    """The watch over the clock, which tells once when the clock jumped, and once how that ended."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._doubted = False
        self._followed = clock.CLOCK.followed

    async def turn(self) -> None:
        """Look at the clock; a jump that the store does not take is logged."""
        try:
            await self.look()
        except GatewayError as error:
            log.error("a jump of the clock was not kept", reason=error.message)

    async def look(self) -> None:
        """Tell when something changed since the last look."""
        jump, before = clock.CLOCK.jump, self._followed
        entry = await self._store.get(CLOUD_ENTRY_POINT.segment)
        if entry is None or bool(jump) == self._doubted:
            return
        followed = clock.CLOCK.followed
        step = followed - before
        occurrence = (
            _jumped(entry, jump) if jump else _followed(entry, step) if abs(step) > clock.TOLERANCE else _back(entry)
        )
        log.warning(occurrence.document["content"]["code"], detail=occurrence.document["content"]["detail"])
        async with self._store.transaction() as transaction:
            await tell(transaction, occurrence)
        self._doubted, self._followed = bool(jump), followed


def _jumped(entry: Resource, seconds: float) -> Occurrence:
    detail = (
        f"the host's clock went {_words(seconds)}; times go on as counted until it has kept to that for "
        f"{clock.PATIENCE / 60:g} minutes, and nothing is removed for its age meanwhile"
    )
    return alarm(entry, "clock-jumped", detail, outcome="Warning", severity="high")


def _followed(entry: Resource, seconds: float) -> Occurrence:
    detail = (
        f"the host's clock has kept to having gone {_words(seconds)}, and is followed; what is removed for its age is "
        "removed by the earlier of both times until the gateway is started again"
    )
    return alarm(entry, "clock-followed", detail, outcome="Warning", severity="high")


def _back(entry: Resource) -> Occurrence:
    return alarm(entry, "clock-back", "the host's clock is where it was", outcome="Success", severity="low")


def _words(seconds: float) -> str:
    return f"{'forward' if seconds > 0 else 'back'} by {timedelta(seconds=round(abs(seconds)))}"
