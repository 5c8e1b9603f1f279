"""Hours, days, weeks, months and years by the UTC calendar."""

from __future__ import annotations

from datetime import datetime

import pytest

from gateway.orchestration.monitoring.intervals import end_of


@pytest.mark.parametrize(
    ("duration", "moment", "end"),
    [
        ("PT1H", "2026-03-04T05:06:07+00:00", "2026-03-04T06:00:00+00:00"),
        ("PT1H", "2026-03-04T05:00:00+00:00", "2026-03-04T06:00:00+00:00"),
        ("P1D", "2026-02-28T23:59:59+00:00", "2026-03-01T00:00:00+00:00"),
        ("P7D", "2026-03-04T05:06:07+00:00", "2026-03-09T00:00:00+00:00"),
        ("P7D", "2026-03-09T00:00:00+00:00", "2026-03-16T00:00:00+00:00"),
        ("P1M", "2028-02-29T05:06:07+00:00", "2028-03-01T00:00:00+00:00"),
        ("P1M", "2026-12-31T05:06:07+00:00", "2027-01-01T00:00:00+00:00"),
        ("P1Y", "2028-02-29T05:06:07+00:00", "2029-01-01T00:00:00+00:00"),
    ],
)
def test_an_interval_ends_where_the_calendar_says(duration: str, moment: str, end: str) -> None:
    times = [round(datetime.fromisoformat(text).timestamp() * 1000) for text in (moment, end)]
    assert end_of(duration, times[0]) == times[1]
