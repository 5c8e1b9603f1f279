"""The Driver on libvirt: its parts put together."""

from __future__ import annotations

from drivers.base import Autostarted, Boot, CallObserver, ConnectionState, HostFacts, HypervisorSettings, Listener, Load
from drivers.libvirt.connection import Connection
from drivers.libvirt.console import Console
from drivers.libvirt.definitions import Definitions
from drivers.libvirt.devices import Devices
from drivers.libvirt.disk_copies import DiskCopies
from drivers.libvirt.domains import Domains
from drivers.libvirt.events import Events
from drivers.libvirt.filters import Filters
from drivers.libvirt.host import Host
from drivers.libvirt.host_claims import HostClaims
from drivers.libvirt.lease_returns import LeaseReturns
from drivers.libvirt.networks import Networks
from drivers.libvirt.own_addresses import OwnAddresses
from drivers.libvirt.release_guest import ReleaseGuests
from drivers.libvirt.snapshots import Snapshots
from drivers.libvirt.statistics import Statistics
from drivers.libvirt.storage import Storage
from drivers.supervision import Supervision


class LibvirtDriver:
    """The driver of one ``[[hypervisor]]``; see drivers.base.Driver for what each part and method promises.

    ``claims`` are shared by all entries of a configuration, so that no libvirt is served by two of them.
    """

    def __init__(self, settings: HypervisorSettings, claims: HostClaims | None = None) -> None:
        self.name = settings.name
        self._connection = connection = Connection(settings.uri, settings.name, claims)
        self._host = Host(connection, settings.domain_type)
        self.storage = Storage(connection)
        self.networks = Networks(connection)
        self.filters = Filters(connection)
        self.addresses = OwnAddresses(connection, self.filters)
        console = Console(connection, self.storage)
        lease_returns = LeaseReturns(connection, ReleaseGuests(connection, console))
        definitions = Definitions(self.storage, console, self.addresses, self._host)
        self.domains = Domains(connection, definitions, console, lease_returns)
        self.devices = Devices(connection, self.storage, self.addresses, lease_returns)
        self.snapshots = Snapshots(connection)
        self.copies = DiskCopies(connection, self.storage)
        self.statistics = Statistics(connection)
        self._events = Events(settings.name, connection, self.domains, self.devices)

    @property
    def connection(self) -> ConnectionState:
        """The state of the connection to libvirt."""
        return self._connection.state

    @property
    def reason(self) -> str:
        """The reason why the connection is not UP; empty while it is."""
        return "" if self.connection is ConnectionState.UP else self._connection.reason

    @property
    def twin(self) -> str:
        """The name of the entry by which the same libvirt is served in place of this one; empty when this one is."""
        return self._connection.twin

    async def open(self) -> None:
        """Begin to watch libvirt's events, and to keep the connection up."""
        self._events.open()
        self._connection.watch(self._connection_changed)
        await self._connection.open()

    def _connection_changed(self, state: ConnectionState, reason: str) -> None:
        if state is not ConnectionState.UP:
            self._host.forget()
        self._events.tell_connection(state, reason)

    async def close(self) -> None:
        """End the events first, and then the connection."""
        await self._events.close()
        await self._connection.close()

    def subscribe(self, listener: Listener) -> None:
        """Call the listener with each event from now on."""
        self._events.subscribe(listener)

    def unsubscribe(self, listener: Listener) -> None:
        """Stop calling the listener."""
        self._events.unsubscribe(listener)

    def observe(self, observer: CallObserver) -> None:
        """Tell the observer how long each call of libvirt took, with its lane for a connection's name."""
        self._connection.observers.append(observer)

    def supervise(self, supervision: Supervision) -> None:
        """Keep the loop that keeps the connection up by this supervision."""
        self._connection.supervision = supervision

    def load(self) -> tuple[Load, ...]:
        """Return how many calls run and how many wait now, for each lane."""
        return self._connection.load()

    async def host(self) -> HostFacts:
        """Return the host's facts, which are read once for each connection."""
        return await self._host.facts()

    async def boot(self, mark: str) -> Boot:
        """Return whether the host has booted since this mark was given."""
        return await self._host.boot(mark)

    async def autostarted(self) -> Autostarted:
        """Return the networks and pools that libvirt starts with the host."""
        return await self._host.autostarted()
