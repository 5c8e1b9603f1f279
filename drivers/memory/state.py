"""The state of a host in memory, which all parts of the driver share, with its faults and its events."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from drivers.base import (
    CallObserver,
    ConnectionState,
    DiskFacts,
    DiskSpec,
    DomainFacts,
    DriverError,
    DriverEvent,
    DriverNotFound,
    DriverUnavailable,
    EventKind,
    InterfaceAddress,
    InterfaceSpec,
    Lease,
    Listener,
    NetworkFacts,
    PoolSettings,
    Power,
    Reach,
    ServedRange,
    SnapshotFacts,
    VolumeFacts,
)
from drivers.memory.usage import Usage

ACTIVE = frozenset({Power.RUNNING, Power.PAUSED, Power.HELD, Power.SHUTTING_DOWN})


def _default_networks() -> dict[str, NetworkFacts]:
    """Return the network of the host's own that libvirt comes with."""
    served = ServedRange("192.168.122.1/24", (("192.168.122.2", "192.168.122.254"),))
    return {"default": NetworkFacts("default", True, "virbr0", "nat", ranges=("192.168.122.1/24",), served=served)}


@dataclass
class MemoryState:
    """Domains, volumes, networks and all else on one host, and how its guests behave."""

    name: str = "local"
    """The name of its ``[[hypervisor]]``, which stands in events."""
    connection: ConnectionState = ConnectionState.DOWN
    reason: str = ""
    twin: str = ""
    listeners: list[Listener] = field(default_factory=list)
    observers: list[CallObserver] = field(default_factory=list)
    faults: dict[str, DriverError] = field(default_factory=dict)
    """Errors that the next call of each name (``domains.start``) raises."""
    confinement: str = "apparmor"
    autostarting: set[str] = field(default_factory=lambda: {"network default", "pool default"})
    """Names of what starts with the host: "network NAME", "pool NAME"."""

    boots: int = 1
    """How often the host has booted."""
    domains: dict[str, DomainFacts] = field(default_factory=dict)
    """All domains, by UUID."""
    deaf: bool = False
    """Whether guests ignore the power button."""
    clinging: bool = False
    """Whether running guests let go of no device."""
    consoles: dict[str, bytes] = field(default_factory=dict)
    """Bytes that guests wrote to their serial ports, by UUID."""
    interface_addresses: dict[str, tuple[InterfaceAddress, ...]] = field(default_factory=dict)
    """The addresses of guests, by UUID."""
    interface_specs: dict[str, InterfaceSpec] = field(default_factory=dict)
    """Interfaces as they were asked for, by MAC, for the next boot."""
    live_specs: dict[str, InterfaceSpec] = field(default_factory=dict)
    """Interfaces as running guests were brought to them, by MAC."""
    snapshots: dict[str, dict[str, tuple[SnapshotFacts, DomainFacts]]] = field(default_factory=dict)
    """Snapshots by the domain's UUID and their names, each with the domain as it was."""
    usage: dict[str, Usage] = field(default_factory=dict)
    """Counters of guests by UUID; a guest that is missing here uses nothing."""
    seconds_ahead: float = 0.0
    """The lead of its statistics' clocks over the real ones."""
    clock_stood_at: float | None = None
    """The monotonic second at which its statistics' clocks stopped: from then on ``seconds_ahead`` alone moves them."""

    pool_capacity: int = 10 * 1024**3
    """Bytes, of each pool."""
    pool_kinds: dict[str, str] = field(default_factory=dict)
    """Pools that are no directories, by name."""
    disk_specs: dict[tuple[str, str], DiskSpec] = field(default_factory=dict)
    """Disks as they were asked for, by the domain's UUID and their target."""
    cpu_shares: dict[str, int | None] = field(default_factory=dict)
    """The weights of guests, by UUID."""
    inactive_pools: set[str] = field(default_factory=set)
    ensured_pools: list[PoolSettings] = field(default_factory=list)
    """Pools that were asked to be defined, in order."""
    pools: set[str] = field(default_factory=lambda: {"default"})
    """Pools that are directories."""
    volumes: dict[tuple[str, str], VolumeFacts] = field(default_factory=dict)
    """All volumes, by pool and name."""
    contents: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """The bytes of uploaded volumes, by pool and name."""

    networks: dict[str, NetworkFacts] = field(default_factory=_default_networks)
    """All networks, by libvirt's name."""
    filters: dict[str, Reach] = field(default_factory=dict)
    """Reaches of networks, by the network's UUID."""
    leases: dict[str, tuple[Lease, ...]] = field(default_factory=dict)
    """Leases of DHCP, by the network's name."""
    host_routes: tuple[str, ...] = ("192.0.2.0/24",)
    given_back: set[str] = field(default_factory=set)
    """MACs of interfaces on the host's networks which are no more."""

    # Calls

    def enter(self, call: str, /, pool: str | None = None) -> None:
        """Begin a call (``domains.start``): raise DriverUnavailable while not connected, and the fault that was set.

        Raises DriverNotFound where it is about a pool that is missing.
        """
        if self.connection is not ConnectionState.UP:
            raise DriverUnavailable("the hypervisor is not connected")
        if pool is not None:
            self.demand_pool(pool)
        for observer in self.observers:
            observer("memory", 0.0, call not in self.faults)
        if call in self.faults:
            raise self.faults.pop(call)

    def domain(self, call: str, uuid: str) -> DomainFacts:
        """Begin a call about a domain, and return its facts. Raises DriverNotFound when there is none."""
        self.enter(call)
        if uuid not in self.domains:
            raise DriverNotFound(f"there is no domain {uuid}")
        return self.domains[uuid]

    def network(self, call: str, name: str) -> NetworkFacts:
        """Begin a call about a network, and return its facts. Raises DriverNotFound when there is none."""
        self.enter(call)
        if name not in self.networks:
            raise DriverNotFound(f"there is no network {name}")
        return self.networks[name]

    def pool_names(self) -> frozenset[str]:
        """Return the names of all pools that there are."""
        ensured = {settings.name for settings in self.ensured_pools}
        return frozenset(self.pools | self.pool_kinds.keys() | self.inactive_pools | ensured)

    def demand_pool(self, name: str) -> None:
        """Raise DriverNotFound when there is no such pool."""
        if name not in self.pool_names():
            raise DriverNotFound(f"there is no pool {name}")

    def volume(self, pool: str, name: str) -> VolumeFacts:
        """Return the facts of the volume. Raises DriverNotFound when there is none, or no such pool."""
        self.demand_pool(pool)
        if (pool, name) not in self.volumes:
            raise DriverNotFound(f"there is no volume {name}")
        return self.volumes[(pool, name)]

    def disk_facts(self, disk: DiskSpec) -> DiskFacts:
        """Return a disk as a domain shows it."""
        return DiskFacts(disk.target, self.volume(disk.pool, disk.volume).path, disk.format, disk.cdrom)

    def specs_of(self, domain: DomainFacts) -> list[InterfaceSpec]:
        """Return what was asked for the domain's interfaces, as far as it is known."""
        macs = [interface.mac for interface in domain.interfaces]
        return [self.interface_specs[mac] for mac in macs if mac in self.interface_specs]

    # Events

    def emit(self, event: DriverEvent) -> None:
        """Tell all listeners."""
        for listener in self.listeners:
            listener(event)

    def tell(self, uuid: str) -> None:
        """Tell what a domain is now."""
        self.emit(DriverEvent(self.name, EventKind.DOMAIN_CHANGED, uuid, self.domains[uuid]))

    def tell_network(self, name: str, detail: str) -> None:
        """Tell that a network was started or stopped."""
        uuid = self.networks[name].uuid
        self.emit(DriverEvent(self.name, EventKind.NETWORK_CHANGED, uuid, detail=detail))

    def connect(self, state: ConnectionState) -> None:
        """Bring the connection into this state, and tell it."""
        self.connection = state
        self.emit(DriverEvent(self.name, EventKind.CONNECTION, state=state))

    def boot_anew(self) -> None:
        """Have no domain run, and no network or pool that does not start with the host, as after a boot."""
        self.boots += 1
        for uuid, facts in self.domains.items():
            self.domains[uuid] = replace(facts, power=Power.OFF, reason="")
        for name, network in self.networks.items():
            self.networks[name] = replace(network, active=f"network {name}" in self.autostarting)

    def set_power(self, uuid: str, power: Power, reason: str | None = None) -> None:
        """Bring a domain into this state, and tell it."""
        facts = self.domains[uuid]
        self.domains[uuid] = replace(facts, power=power, reason=facts.reason if reason is None else reason)
        self.tell(uuid)
