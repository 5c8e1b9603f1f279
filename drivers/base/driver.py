"""A hypervisor: its parts, its connection and its host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from drivers.base.addresses import AddressCalls
from drivers.base.copies import CopyCalls
from drivers.base.devices import DeviceCalls
from drivers.base.domains import DomainCalls
from drivers.base.events import ConnectionState, Listener
from drivers.base.filters import FilterCalls
from drivers.base.host import Autostarted, Boot, HostFacts
from drivers.base.measures import CallObserver, Load
from drivers.base.networks import NetworkCalls
from drivers.base.snapshots import SnapshotCalls
from drivers.base.statistics import StatisticsCalls
from drivers.base.storage import StorageCalls

if TYPE_CHECKING:
    # The processes that read hostile bytes import this package, and have no loops.
    from drivers.supervision import Supervision

PARTS = frozenset(
    {"addresses", "copies", "devices", "domains", "filters", "networks", "snapshots", "statistics", "storage"}
)
"""The names of a Driver's parts."""


class Driver(Protocol):
    """A hypervisor, whose calls are in its parts, by what they are about.

    All coroutines run on the asyncio loop and never block it. Every call may raise DriverUnavailable, and DriverFailed
    with the hypervisor's own words; which errors it raises beside these is said at the call.
    """

    @property
    def name(self) -> str:
        """The name of its ``[[hypervisor]]``."""
        ...

    @property
    def domains(self) -> DomainCalls:
        """Domains: their definition, power, size, console and addresses."""
        ...

    @property
    def devices(self) -> DeviceCalls:
        """Disks and interfaces of domains."""
        ...

    @property
    def storage(self) -> StorageCalls:
        """Pools and volumes."""
        ...

    @property
    def networks(self) -> NetworkCalls:
        """Virtual networks with their DHCP and DNS."""
        ...

    @property
    def filters(self) -> FilterCalls:
        """Packet filters of networks."""
        ...

    @property
    def addresses(self) -> AddressCalls:
        """Addresses that guests have of their own on the host's own networks."""
        ...

    @property
    def snapshots(self) -> SnapshotCalls:
        """Snapshots of domains."""
        ...

    @property
    def copies(self) -> CopyCalls:
        """Copies of disks in use."""
        ...

    @property
    def statistics(self) -> StatisticsCalls:
        """Statistics of what guests use."""
        ...

    @property
    def connection(self) -> ConnectionState:
        """The state of the connection to the hypervisor; only while it is UP calls succeed."""
        ...

    @property
    def reason(self) -> str:
        """The reason why the hypervisor is not UP, in words for admins; empty while it is."""
        ...

    @property
    def twin(self) -> str:
        """The name of the entry that serves the same hypervisor in place of this one; empty when this one does."""
        ...

    async def open(self) -> None:
        """Begin to connect and keep connected; return once up, or after the first failure (then the attempts go on)."""
        ...

    async def close(self) -> None:
        """End the connection, and everything that the driver does by itself."""
        ...

    def subscribe(self, listener: Listener) -> None:
        """Call the listener with each event from now on."""
        ...

    def unsubscribe(self, listener: Listener) -> None:
        """Stop calling the listener; one that was never subscribed is no error."""
        ...

    def observe(self, observer: CallObserver) -> None:
        """Tell the observer of each call to the hypervisor how long it took."""
        ...

    def supervise(self, supervision: Supervision) -> None:
        """Keep the driver's own loops by this, from the next ``open`` on."""
        ...

    def load(self) -> tuple[Load, ...]:
        """Return how many calls run and how many wait now, for each connection to the hypervisor."""
        ...

    async def host(self) -> HostFacts:
        """Return what the host has, memory in KiB."""
        ...

    async def boot(self, mark: str) -> Boot:
        """Return whether the host has booted since this mark was given; the mark is empty when there is none yet."""
        ...

    async def autostarted(self) -> Autostarted:
        """Return which networks and pools start with the host."""
        ...
