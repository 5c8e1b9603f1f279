"""The figures of supervised loops for `/metrics`."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from drivers.supervision import Supervision


class LoopMetrics(Collector):
    """Surprises by loop, counted since the start, and which loops are in trouble now."""

    def __init__(self, supervision: Supervision) -> None:
        self._supervision = supervision

    def collect(self) -> Iterator[Metric]:
        """Yield the figures as they are now."""
        failures = CounterMetricFamily(
            "cimi_gateway_loop_failures", "Errors that nobody thought of in a background loop", labels=("loop",)
        )
        for name, count in dict(self._supervision.failures).items():
            failures.add_metric((name,), count)
        yield failures
        troubles = GaugeMetricFamily(
            "cimi_gateway_loop_in_trouble", "1 while the last turn of a background loop failed", labels=("loop",)
        )
        in_trouble = self._supervision.in_trouble
        for name in tuple(self._supervision.loops):
            troubles.add_metric((name,), float(name in in_trouble))
        yield troubles
