"""The host in memory: what exists, faults on demand, events."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from drivers.base import (
    Autostarted,
    CallObserver,
    ConnectionState,
    DomainFacts,
    DriverError,
    DriverEvent,
    DriverUnavailable,
    EventKind,
    HostFacts,
    InterfaceAddress,
    InterfaceSpec,
    Lease,
    Listener,
    Load,
    NetworkFacts,
    PoolSettings,
    Power,
    Reach,
    ServedRange,
    SnapshotFacts,
    Supervision,
    VolumeFacts,
)
from drivers.memory.usage import Usage

ACTIVE = frozenset({Power.RUNNING, Power.PAUSED})


@dataclass
class MemoryHost:
    """``deaf`` guests ignore the power button, ``clinging`` ones let go of no device; ``fail_next`` makes the next
    call of a method raise.
    """

    name: str = "local"
    pool_capacity: int = 10 * 1024**3
    deaf: bool = False
    clinging: bool = False
    connection: ConnectionState = ConnectionState.DOWN
    reason: str = ""
    twin: str = ""
    known: dict[str, DomainFacts] = field(default_factory=dict)
    stored: dict[tuple[str, str], VolumeFacts] = field(default_factory=dict)
    contents: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """The bytes of uploaded volumes."""
    listeners: list[Listener] = field(default_factory=list)
    taken: dict[str, dict[str, tuple[SnapshotFacts, DomainFacts]]] = field(default_factory=dict)
    observers: list[CallObserver] = field(default_factory=list)
    faults: dict[str, DriverError] = field(default_factory=dict)
    consoles: dict[str, bytes] = field(default_factory=dict)
    pool_kinds: dict[str, str] = field(default_factory=dict)
    """Pools that are no directories, by name."""
    inactive: set[str] = field(default_factory=set)
    """Pools that are not running."""
    autostarting: set[str] = field(default_factory=lambda: {"network default", "pool default"})
    """What starts with the host: "network NAME", "pool NAME"."""
    ensured: list[PoolSettings] = field(default_factory=list)
    known_networks: dict[str, NetworkFacts] = field(
        default_factory=lambda: {
            "default": NetworkFacts(
                "default",
                True,
                "virbr0",
                "nat",
                ranges=("192.168.122.1/24",),
                served=ServedRange("192.168.122.1/24", (("192.168.122.2", "192.168.122.254"),)),
            )
        }
    )
    interface_specs: dict[str, InterfaceSpec] = field(default_factory=dict)
    """By MAC, for the next boot."""
    live_specs: dict[str, InterfaceSpec] = field(default_factory=dict)
    """What running guests were brought to."""
    known_filters: dict[str, Reach] = field(default_factory=dict)
    known_leases: dict[str, tuple[Lease, ...]] = field(default_factory=dict)
    host_routes: tuple[str, ...] = ("192.0.2.0/24",)
    ahead: float = 0.0
    """Seconds that the clocks of its statistics are ahead of the real ones."""
    usage: dict[str, Usage] = field(default_factory=dict)
    """By UUID; a guest that is missing here uses nothing."""
    confinement: str = "apparmor"
    given_back: set[str] = field(default_factory=set)
    """MACs of interfaces on the host's networks which are no more."""
    found_addresses: dict[str, tuple[InterfaceAddress, ...]] = field(default_factory=dict)

    def fail_next(self, method: str, error: DriverError) -> None:
        self.faults[method] = error

    def enter(self, method: str) -> None:
        if self.connection is not ConnectionState.UP:
            raise DriverUnavailable("the hypervisor is not connected")
        for observer in self.observers:
            observer("memory", 0.0, method not in self.faults)
        if method in self.faults:
            raise self.faults.pop(method)

    def externally(self, uuid: str, power: Power) -> None:
        """What an admin or the guest does on its own."""
        self.known[uuid] = replace(self.known[uuid], power=power)
        self.tell(uuid)

    def complain(self, uuid: str, code: str, detail: str = "") -> None:
        """What a hypervisor tells of a guest in trouble."""
        self.emit(DriverEvent(self.name, EventKind.DOMAIN_ALARM, uuid, code=code, detail=detail))

    def lose(self) -> None:
        self.connection = ConnectionState.DOWN
        self.emit(DriverEvent(self.name, EventKind.CONNECTION, state=self.connection))

    def regain(self) -> None:
        self.connection = ConnectionState.UP
        self.emit(DriverEvent(self.name, EventKind.CONNECTION, state=self.connection))

    def emit(self, event: DriverEvent) -> None:
        for listener in self.listeners:
            listener(event)

    def tell(self, uuid: str) -> None:
        self.emit(DriverEvent(self.name, EventKind.DOMAIN_CHANGED, uuid, self.known[uuid]))

    async def open(self) -> None:
        self.regain()

    async def close(self) -> None:
        self.connection = ConnectionState.DOWN

    def subscribe(self, listener: Listener) -> None:
        self.listeners.append(listener)

    def unsubscribe(self, listener: Listener) -> None:
        if listener in self.listeners:
            self.listeners.remove(listener)

    def observe(self, observer: CallObserver) -> None:
        self.observers.append(observer)

    def supervise(self, supervision: Supervision) -> None:
        """It has no loops."""

    def load(self) -> tuple[Load, ...]:
        return (Load("memory", 0, 0),)

    async def autostarted(self) -> Autostarted:
        self.enter("autostarted")
        words = [entry.split(" ", 1) for entry in self.autostarting]
        kinds = {kind: frozenset(name for entry, name in words if entry == kind) for kind in ("network", "pool")}
        return Autostarted(kinds["network"], kinds["pool"])

    async def host(self) -> HostFacts:
        self.enter("host")
        arches = ("i686", "x86_64")
        return HostFacts(8, 16 * 1024**2, 2400, arches, "qemu", "memory", True, self.confinement)
