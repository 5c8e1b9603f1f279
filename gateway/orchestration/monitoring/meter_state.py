"""The sampler's memory of one meter between two looks at the guests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.orchestration.monitoring.aspects import Aspect, Look, aspect_of
from gateway.orchestration.monitoring.facts import KeptMeter
from gateway.orchestration.monitoring.intervals import end_of
from gateway.store.model import Resource
from gateway.store.questions.samples import SeriesEnd
from gateway.store.samples import DIGITS, milliseconds

STALE = 2.5
"""A look that is older than so many intervals is no longer compared with: what lies between is a gap."""
STALE_AT_LEAST = 15.0
"""Seconds that a look is good in any case: a busy host that answers late loses no bytes of a meter in short steps."""
FOREVER = 2**62


@dataclass(frozen=True, slots=True)
class Seen:
    """A look, and its moment on the monotonic clock."""

    look: Look
    moment: float


class MeterState:
    """The memory of one meter.

    ``due`` and ``moment`` are on the monotonic clock in seconds, ``time`` in milliseconds since 1970.
    """

    def __init__(self, meter: Resource, target: Resource, kept: SeriesEnd) -> None:
        aspect = aspect_of(target.kind, meter.document["aspect"])
        assert aspect is not None
        self.aspect: Aspect = aspect
        self.target = target
        self.number = kept.number
        self.position = kept.position
        self.last = kept.last
        self.began = kept.began
        self.total = kept.total
        self.readings = kept.readings
        self.due: float | None = None
        self._before: Seen | None = None
        self._whole: Seen | None = None
        """The last look that showed all that is measured: a guest that does not answer once loses nothing."""
        self.follow(meter)

    def follow(self, meter: Resource) -> None:
        """Take over what may be edited."""
        self.path = meter.path
        self.interval: int = meter.document["sampleInterval"]
        self.duration: str | None = meter.document.get("intervalDuration")
        self.stopped = KeptMeter.of(meter).stopped
        self.stops = _moment(meter.document.get("stopTime"))
        self.expires = _moment(meter.document.get("expiresTime"))
        self.due = None

    def is_about(self, target: Resource) -> None:
        """Take over the changed target, when this is a meter of it: a System's Machines, or its host."""
        if self.target.path == target.path:
            self.target = target

    def runs(self, time: int) -> bool:
        """Return whether the meter measures at this time: it is not stopped, and its stopTime is still to come."""
        return not self.stopped and time < self.stops

    def measure(self, look: Look | None, moment: float, time: int, slack: float) -> float | None:
        """Return the value when it is time for one, and it is known.

        ``slack`` is how many seconds too early is still in time.
        """
        if not self.runs(time):
            self._before = self._whole = None
            return None
        if self.due is None:
            self.due = moment + min(self.interval, max(0.0, self.interval - (time - self.last) / 1000))
        if moment < self.due - slack:
            if self._before is None and look is not None:
                self._before = self._whole = Seen(look, moment)
            return None
        self.due = self.due + self.interval if self.due + self.interval > moment + slack else moment + self.interval
        if look is None:
            return None
        value = self._compared(look, moment)
        self._before = Seen(look, moment)
        if value is None:
            return None
        self._whole = self._before
        return round(value, DIGITS)

    def _compared(self, look: Look, moment: float) -> float | None:
        """Return the value against the look before, else against the last one that showed all."""
        oldest = moment - max(STALE * self.interval, STALE_AT_LEAST)
        for before in (self._before, self._whole):
            earlier = before.look if before is not None and before.moment >= oldest else None
            value = self.aspect.measure(self.target, look, earlier)
            if value is not None:
                return value
        return None

    # Meters of an Interval

    def add(self, value: float, time: int) -> None:
        """Add a value to the open interval, or open one."""
        self.began = time if self.began is None else self.began
        self.total += value
        self.readings += 1

    def ended(self, time: int) -> int | None:
        """Return when the open interval ended; None when it is still open, or nothing was measured in it."""
        if self.duration is None or self.began is None:
            return None
        end = end_of(self.duration, self.began)
        return end if end <= time else None

    @property
    def whole(self) -> float:
        """The value of the open interval."""
        return round(self.total if self.aspect.adds_up else self.total / max(1, self.readings), DIGITS)

    def close(self) -> None:
        """Close the open interval, which has been written."""
        self.began, self.total, self.readings = None, 0.0, 0


def _moment(text: str | None) -> int:
    return FOREVER if text is None else milliseconds(datetime.fromisoformat(text))
