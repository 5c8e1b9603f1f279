"""One hypervisor."""

from __future__ import annotations

from typing import Protocol

from drivers.base.devices import DeviceCalls
from drivers.base.domains import DomainCalls
from drivers.base.events import ConnectionState, Listener
from drivers.base.filters import FilterCalls
from drivers.base.host import Autostarted, HostFacts
from drivers.base.measures import CallObserver, Load
from drivers.base.networks import NetworkCalls
from drivers.base.snapshots import SnapshotCalls
from drivers.base.statistics import StatisticsCalls
from drivers.base.storage import StorageCalls
from drivers.base.supervision import Supervision


class Driver(
    DomainCalls, DeviceCalls, StorageCalls, NetworkCalls, FilterCalls, SnapshotCalls, StatisticsCalls, Protocol
):
    """One hypervisor. All coroutines run on the asyncio loop and never block it; all raise DriverError."""

    name: str

    @property
    def connection(self) -> ConnectionState: ...

    @property
    def reason(self) -> str:
        """Why the hypervisor is not UP, in words for admins; empty while it is."""
        ...

    @property
    def twin(self) -> str:
        """The name of the entry that serves the same hypervisor in place of this one; empty when this one does."""
        ...

    async def open(self) -> None:
        """Begin to connect and keep connected; returns once up, or after the first failure (then goes on)."""
        ...

    async def close(self) -> None: ...

    def subscribe(self, listener: Listener) -> None: ...

    def unsubscribe(self, listener: Listener) -> None:
        """Tell this listener nothing more; one that was told nothing is no error."""
        ...

    def observe(self, observer: CallObserver) -> None:
        """Tell of each call to the hypervisor how long it took."""
        ...

    def supervise(self, supervision: Supervision) -> None:
        """Keep the driver's own loops by this, from the next ``open`` on."""
        ...

    def load(self) -> tuple[Load, ...]: ...

    async def host(self) -> HostFacts: ...

    async def autostarted(self) -> Autostarted: ...
