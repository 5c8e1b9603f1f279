"""Virtual networks and what guards the guests on them. Speeds in kilobytes (1000) per second, bursts in kilobytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """A limit in one direction in kilobytes per second.

    ``peak`` may be reached until ``burst`` kilobytes have passed.
    """

    average: int
    peak: int | None = None
    burst: int | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """Limits as the guests see them: ``inbound`` towards them, ``outbound`` from them."""

    inbound: Bandwidth | None = None
    outbound: Bandwidth | None = None


@dataclass(frozen=True, slots=True)
class AddressPool:
    """The entry ``[[hypervisor.address_pools]]``: each new Network gets a part of ``range`` with this prefix length."""

    range: str
    prefix: int


@dataclass(frozen=True, slots=True)
class BandwidthClass:
    """The entry ``[[hypervisor.bandwidth_classes]]``: what a classOfService of this name means; 0 sets no limit."""

    name: str
    inbound: int = 0
    inbound_peak: int = 0
    inbound_burst: int = 0
    outbound: int = 0
    outbound_peak: int = 0
    outbound_burst: int = 0

    @property
    def traffic(self) -> Traffic:
        """The class's limits in both directions; None stands for a direction without an average."""
        return Traffic(
            _bandwidth(self.inbound, self.inbound_peak, self.inbound_burst),
            _bandwidth(self.outbound, self.outbound_peak, self.outbound_burst),
        )


def _bandwidth(average: int, peak: int, burst: int) -> Bandwidth | None:
    return Bandwidth(average, peak or None, burst or None) if average else None


@dataclass(frozen=True, slots=True)
class Reservation:
    """An address that DHCP gives to one interface alone, and that DNS knows by the name.

    ``mac`` None: only the name is known to DNS (IPv6, where libvirt takes no MAC).
    """

    ip: str
    mac: str | None = None
    hostname: str | None = None


@dataclass(frozen=True, slots=True)
class RangeSpec:
    """An IPv4 or IPv6 range of a network, served by DHCP or, for IPv6 without ``dynamic``, by router advertisement."""

    gateway: str
    """The host's own address in the range."""
    prefix: int
    dynamic: tuple[str, str] | None = None
    """First and last address which DHCP hands out by itself."""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A whole network. The libvirt name is derived from ``uuid`` (``cimi-<uuid>``), as for domains."""

    uuid: str
    network: str
    """CIMI path of the Network, kept in the network's metadata, as are owner and title."""
    owner: str
    title: str
    forward: str
    """isolated, nat, route, open, or bridge (an existing bridge of the host, with no ranges of ours)."""
    bridge: str
    """At most 15 characters."""
    ranges: tuple[RangeSpec, ...] = ()
    mtu: int | None = None
    domain: str | None = None
    """DNS domain of the guests' names."""
    device: str | None = None
    """The host's interface that nat and route go out by; any when None."""
    traffic: Traffic | None = None
    reservations: tuple[Reservation, ...] = ()

    @property
    def name(self) -> str:
        """The network's name in libvirt."""
        return network_name(self.uuid)


PREFIX = "cimi-"


def interface_identifier(mac: str) -> int:
    """Return the lower half of the IPv6 addresses that an interface makes itself of its MAC (RFC 4291, appendix A)."""
    octets = [int(part, 16) for part in mac.split(":")]
    return int.from_bytes([octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]])


def network_name(uuid: str) -> str:
    """Return the name in libvirt of the gateway's network of this UUID."""
    return f"{PREFIX}{uuid}"


def network_uuid(name: str) -> str | None:
    """Return the UUID of a network that a gateway made, from its name in libvirt; None for other networks."""
    try:
        return str(UUID(name.removeprefix(PREFIX))) if name.startswith(PREFIX) else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class ServedRange:
    """The IPv4 addresses that DHCP gives in a network: first and last of each span.

    ``gateway`` is the host's address with its mask.
    """

    gateway: str
    spans: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """A network as the hypervisor tells it. ``network`` None marks a foreign one (not made by a gateway)."""

    name: str
    active: bool
    bridge: str | None
    forward: str
    """nat, route, open, bridge, or isolated."""
    mtu: int | None = None
    uuid: str = ""
    network: str | None = None
    ranges: tuple[str, ...] = ()
    """Its addresses with prefix length, as the host has them on the bridge: 10.1.2.1/24."""
    reservations: tuple[Reservation, ...] = ()
    persistent: bool = True
    served: ServedRange | None = None
    """None where libvirt is no DHCP server of IPv4."""


@dataclass(frozen=True, slots=True)
class Lease:
    """An address that DHCP has handed out, with the second (since 1970) when it ends, 0 for never."""

    mac: str
    ip: str
    prefix: int
    hostname: str | None
    expires: int


class NetworkCalls(Protocol):
    """Virtual networks by libvirt's name, with their DHCP and DNS entries.

    Every call that names a network raises DriverNotFound when there is none of this name, except where removal is
    asked.
    """

    async def list_all(self) -> tuple[NetworkFacts, ...]:
        """Return all networks, foreign ones too."""
        ...

    async def read(self, name: str) -> NetworkFacts:
        """Return the network as it is now."""
        ...

    async def occupied_ranges(self) -> tuple[str, ...]:
        """Return what the host's routes and all its networks use already, in CIDR notation, without default routes."""
        ...

    async def define(self, spec: NetworkSpec) -> None:
        """Make the network, or bring an existing one of the same UUID to this definition.

        A running network takes most of it only when it is started anew.
        """
        ...

    async def start(self, name: str, *, always: bool = True) -> None:
        """Start the network now and, with ``always``, whenever the host starts."""
        ...

    async def stop(self, name: str) -> None:
        """Stop the network, also for the next start of the host. Guests' interfaces lose it."""
        ...

    async def delete(self, name: str) -> None:
        """Stop and remove the network, and what DHCP and DNS kept of it."""
        ...

    async def reserve_host(self, name: str, reservation: Reservation) -> None:
        """Tell DHCP and DNS of the reservation, live and for the next start.

        The reservation takes the place of what they knew of the same address or MAC.
        """
        ...

    async def release_host(self, name: str, reservation: Reservation) -> None:
        """Take the reservation back from DHCP and DNS; one that is gone is no error."""
        ...

    async def reconnect_interfaces(self, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Put running guests' interfaces back on networks that were stopped and started meanwhile.

        Domains that no gateway made are left alone. Return, by network, the MACs of the interfaces that had lost it.
        """
        ...

    async def leases(self, name: str) -> tuple[Lease, ...]:
        """Return the addresses which the network's DHCP has handed out."""
        ...
