"""What the hosts can carry: memory and CPUs, as many times as the configuration lets them be promised."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.base import HostFacts, HypervisorSettings
from gateway.quotas import HOST_CPU, HOST_MEMORY


class Capacities:
    """The capacity of each host, as its facts said it last; a host that has told nothing yet has no bound."""

    def __init__(self, hypervisors: Mapping[str, HypervisorSettings]) -> None:
        self._hypervisors = hypervisors
        self._facts: dict[str, HostFacts] = {}

    def learn(self, host: str, facts: HostFacts) -> None:
        """Take up what a host says of itself."""
        self._facts[host] = facts

    def limit(self, host: str, quota: str) -> int | None:
        """Return how much of a host may be promised, None without a bound: KiB of memory, or virtual CPUs."""
        facts, settings = self._facts.get(host), self._hypervisors.get(host)
        if facts is None or settings is None:
            return None
        there, times = {
            HOST_MEMORY.name: (facts.memory_kib, settings.memory_overcommit),
            HOST_CPU.name: (facts.cpus, settings.cpu_overcommit),
        }[quota]
        return int(there * times) if times else None
