"""The door's figures for Prometheus: connections that are open, were refused, and did not end well."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.http.door import Door


class DoorMetrics(Collector):
    """A collector that reads the counts of one door."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def collect(self) -> Iterator[Metric]:
        """Yield the counts as they are now."""
        admission, ends = self._door.admission, self._door.ends
        yield GaugeMetricFamily("cimi_http_connections", "Connections that are open", value=admission.open)
        for name, text, value in (
            ("cimi_http_connections_refused", "Connections refused for their number", admission.refused),
            ("cimi_http_connections_overdue", "Connections closed by a deadline", ends.overdue),
            ("cimi_http_client_aborts", "Clients that hung up before the end of their answer", ends.aborts),
            ("cimi_http_malformed", "Requests that were no HTTP", ends.malformed),
        ):
            yield CounterMetricFamily(name, text, value=value)
