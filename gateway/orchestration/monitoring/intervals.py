"""The standard's intervals, as parts of the UTC calendar; weeks begin on Monday. Times in milliseconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

DAY = timedelta(days=1)


def end_of(duration: str, time: int) -> int:
    """Return when the interval ends in which this moment is."""
    moment = datetime.fromtimestamp(time / 1000, UTC)
    hour = moment.replace(minute=0, second=0, microsecond=0)
    midnight = hour.replace(hour=0)
    if duration == "PT1H":
        end = hour + timedelta(hours=1)
    elif duration == "P1D":
        end = midnight + DAY
    elif duration == "P7D":
        end = midnight + DAY * (7 - midnight.weekday())
    elif duration == "P1M":
        end = (midnight.replace(day=28) + 4 * DAY).replace(day=1)
    else:
        end = midnight.replace(year=midnight.year + 1, month=1, day=1)
    return round(end.timestamp() * 1000)
