"""The time that samples are kept, and how finely: as measured, then as means of five minutes, then of hours."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from gateway import clock
from gateway.errors import GatewayError
from gateway.orchestration.monitoring.aspects import MEASURED
from gateway.store.questions.samples import series_after
from gateway.store.samples import OldSamples, bury_samples, forget_samples, thin_samples
from gateway.store.store import Store
from gateway.store.transaction import Transaction

SECOND = 1000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
STEPS = (300 * SECOND, HOUR)
"""The milliseconds that one sample of the first, and of the second, coarser tier stands for."""
ROUND_EVERY = 600.0
AT_ONCE = 20
"""Meters in one transaction, so that others get their turn."""
BURIED_AT_ONCE = 2000
PAUSE = 0.05
ADD_UP = frozenset(aspect.term for aspects in MEASURED.values() for aspect in aspects if aspect.adds_up)
log = structlog.get_logger("meters")


@dataclass(frozen=True, slots=True)
class SampleRetention:
    """The thinning of old samples.

    ``ages`` is how old a sample may be in each tier, in milliseconds.
    """

    store: Store
    ages: tuple[int, int, int]

    async def turn(self) -> None:
        """Thin out old samples; what the store refuses is logged, and tried again the next time."""
        try:
            await self.age()
        except GatewayError as error:
            log.warning("old samples could not be thinned out", reason=error.message)

    async def age(self) -> None:
        """Thin out the samples that are old by now."""
        await self.thin(round(clock.ageing().timestamp() * SECOND))

    async def thin(self, now: int) -> None:
        """Go once over all meters, thin out what is old at ``now`` (milliseconds since 1970).

        The samples of meters that are gone are removed, too.
        """
        last = 0
        while rows := await series_after(self.store, last, AT_ONCE):
            async with self.store.transaction() as transaction:
                for number, aspect in rows:
                    await self._thin(transaction, number, now, total=aspect in ADD_UP)
            last = rows[-1][0]
            await asyncio.sleep(PAUSE)
        left = True
        while left:
            left = await self._bury()
            await asyncio.sleep(PAUSE)

    async def _thin(self, transaction: Transaction, number: int, now: int, *, total: bool) -> None:
        for tier, step in enumerate(STEPS):
            before = (now - self.ages[tier]) // step * step
            await thin_samples(transaction, OldSamples(number, tier, before), step, total=total)
        await forget_samples(transaction, OldSamples(number, len(STEPS), now - self.ages[-1]))

    async def _bury(self) -> bool:
        async with self.store.transaction() as transaction:
            return await bury_samples(transaction, BURIED_AT_ONCE)
