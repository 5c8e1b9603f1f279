"""The Driver in memory: its parts put together, and what tests may do to the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from operator import attrgetter

from drivers.base import (
    Autostarted,
    Boot,
    CallObserver,
    ConnectionState,
    DriverError,
    DriverEvent,
    EventKind,
    HostFacts,
    Listener,
    Load,
    Power,
)
from drivers.memory.addresses import MemoryAddresses
from drivers.memory.copies import MemoryCopies
from drivers.memory.devices import MemoryDevices
from drivers.memory.domains import MemoryDomains
from drivers.memory.filters import MemoryFilters
from drivers.memory.networks import MemoryNetworks
from drivers.memory.snapshots import MemorySnapshots
from drivers.memory.state import MemoryState
from drivers.memory.statistics import MemoryStatistics
from drivers.memory.storage import MemoryStorage
from drivers.supervision import Supervision


class MemoryDriver:
    """A host in memory; see drivers.base.Driver for what each part and method promises.

    What is on the host stands in ``state``, where tests may look and change.
    """

    def __init__(
        self, name: str = "local", *, pool_capacity: int = 10 * 1024**3, pool_kinds: Mapping[str, str] | None = None
    ) -> None:
        """Make an empty host that is not connected yet.

        ``pool_capacity`` is in bytes; ``pool_kinds`` are those of pools that are no directories, by name.
        """
        self.state = state = MemoryState(name, pool_capacity=pool_capacity, pool_kinds=dict(pool_kinds or {}))
        self.addresses = MemoryAddresses(state)
        self.domains = MemoryDomains(state, self.addresses)
        self.devices = MemoryDevices(state, self.addresses)
        self.storage = MemoryStorage(state)
        self.networks = MemoryNetworks(state)
        self.filters = MemoryFilters(state)
        self.snapshots = MemorySnapshots(state)
        self.copies = MemoryCopies(state, self.storage)
        self.statistics = MemoryStatistics(state)

    @property
    def name(self) -> str:
        """The name of its ``[[hypervisor]]``."""
        return self.state.name

    @property
    def connection(self) -> ConnectionState:
        """The state of the connection, as tests have set it."""
        return self.state.connection

    @property
    def reason(self) -> str:
        """The reason why the connection is not UP, as tests have set it."""
        return self.state.reason

    @property
    def twin(self) -> str:
        """The name of the entry that serves the same host, as tests have set it."""
        return self.state.twin

    async def open(self) -> None:
        """Connect at once."""
        self.regain()

    async def close(self) -> None:
        """Be disconnected, without a word to the listeners."""
        self.state.connection = ConnectionState.DOWN

    def subscribe(self, listener: Listener) -> None:
        """Call the listener with each event from now on."""
        self.state.listeners.append(listener)

    def unsubscribe(self, listener: Listener) -> None:
        """Stop calling the listener."""
        if listener in self.state.listeners:
            self.state.listeners.remove(listener)

    def observe(self, observer: CallObserver) -> None:
        """Call the observer at the beginning of each call, which takes no time."""
        self.state.observers.append(observer)

    def supervise(self, supervision: Supervision) -> None:
        """Do nothing: there are no loops."""

    def load(self) -> tuple[Load, ...]:
        """Return one connection on which no call ever runs or waits."""
        return (Load("memory", 0, 0),)

    async def boot(self, mark: str) -> Boot:
        """Return whether tests have rebooted the host since this mark was given."""
        self.state.enter("boot")
        return Boot(str(self.state.boots), str(self.state.boots) != mark)

    async def autostarted(self) -> Autostarted:
        """Return what stands in ``autostarting``."""
        self.state.enter("autostarted")
        words = [entry.split(" ", 1) for entry in self.state.autostarting]
        kinds = {kind: frozenset(name for entry, name in words if entry == kind) for kind in ("network", "pool")}
        return Autostarted(kinds["network"], kinds["pool"])

    async def host(self) -> HostFacts:
        """Return a host of 8 cpus and 16 GiB that emulates x86."""
        self.state.enter("host")
        arches = ("i686", "x86_64")
        return HostFacts(8, 16 * 1024**2, 2400, arches, "qemu", "memory", True, self.state.confinement)

    # What happens to the host

    def fail_next(self, call: str, error: DriverError) -> None:
        """Make the next call of this name (``domains.start``) raise the error.

        Raises AttributeError when there is no such call: its fault would never happen.
        """
        attrgetter(call)(self)
        self.state.faults[call] = error

    def externally(self, uuid: str, power: Power) -> None:
        """Bring a domain into this state, as an admin or the guest does on its own."""
        self.state.set_power(uuid, power)

    def network_externally(self, name: str, *, active: bool) -> None:
        """Start or stop a network, as an admin does with virsh."""
        self.state.networks[name] = replace(self.state.networks[name], active=active)
        self.state.tell_network(name, "started" if active else "stopped")

    def complain(self, uuid: str, code: str, detail: str = "") -> None:
        """Tell of a guest in trouble, as a hypervisor does."""
        self.state.emit(DriverEvent(self.name, EventKind.DOMAIN_ALARM, uuid, code=code, detail=detail))

    def reboot(self) -> None:
        """Boot the host anew: it is away for a moment, and afterwards no domain runs."""
        self.lose()
        self.state.boot_anew()
        self.regain()

    def lose(self) -> None:
        """Lose the connection to the host."""
        self.state.connect(ConnectionState.DOWN)

    def regain(self) -> None:
        """Connect to the host again."""
        self.state.connect(ConnectionState.UP)
