"""The facts that are kept of Networks, Addresses and ForwardingGroups beside their documents.

A delete takes its time on the host. Meanwhile an Address or a ForwardingGroup is ``leaving``: it is still there to be
read, and nobody may take it up any more. On disk each has a word of its own for that; a Network says it by its state.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.store.durable import Kept, keyed


@dataclass(frozen=True)
class Stateful(Kept):
    """Facts of a Network or NetworkPort that an action is changing."""

    state_before: str | None = None
    """State from before the action of the Job that holds the resource."""


@dataclass(frozen=True)
class Served:
    """The addresses of IPv4 that libvirt's DHCP gives in a network of the host's own."""

    gateway: str
    """The host's address there, with its mask."""
    spans: tuple[tuple[str, str], ...] = ()
    """First and last of each row of addresses."""


@dataclass(frozen=True)
class KeptNetwork(Kept):
    """Facts of a Network."""

    host: str
    """Name of the hypervisor that has the network."""
    forward: str = ""
    """libvirt's word for how the network leads on; empty where the hypervisor has not told it yet."""
    bridge: str | None = None
    """The bridge on the host."""
    ranges: tuple[str, ...] = ()
    """Ranges of addresses with prefix length, of each protocol one at most."""
    initial_state: str = "STARTED"
    """State that a new Network is to come to."""
    host_network: str | None = None
    """libvirt's name of a network of the host's own, which no gateway made; None for one that a gateway made."""
    uuid: str | None = None
    """libvirt's UUID of a network of the host's own; that of another is the Network's id."""
    served: Served | None = None
    """None where the network is no host's own, or libvirt is no DHCP server there."""
    state_before: str | None = None
    """State from before the action of the Job that holds the Network."""
    trouble: str | None = None
    """State that a Network in ERROR should have, and is brought to when that is possible; None without trouble."""


@dataclass(frozen=True)
class KeptAddress(Kept):
    """Facts of an Address. An Address that a guest reported has none."""

    host: str | None = None
    """Name of the hypervisor that has the Network of a reserved Address."""
    mac: str | None = None
    """MAC of the interface that uses the Address."""
    leaving: bool = keyed("going", default=False)
    """A delete is under way: DHCP and DNS forget the Address, and nobody may take it up any more."""
    for_machine: bool = False
    """The Address was made with a Machine, and goes with it."""
    shared: bool = False
    """The Address is in a network of the host's own."""
    chosen: bool = False
    """The gateway chose the IP, and may choose another as long as the host's DHCP never had it."""
    entered: bool = False
    """The host's DHCP has had the entry of this Address in the host's own network."""
    lost: bool = False
    """Others have the IP in the host's own network; that was told, and is not told again."""
    macs: tuple[str, ...] = ()
    """The latest MACs that the entry in the host's own network may have: by them it is known for ours."""


@dataclass(frozen=True)
class KeptForwardingGroup(Kept):
    """Facts of a ForwardingGroup."""

    host: str
    """Name of the hypervisor that has all its Networks."""
    leaving: bool = keyed("dissolving", default=False)
    """A delete is under way: no Network may join any more."""
