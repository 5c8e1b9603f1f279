"""The names on Networks: of these in libvirt, of guests in DHCP and DNS, and the MAC addresses of their interfaces.

Host names end up in the DHCP and DNS server's files, so only what is a name passes.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from drivers.base import network_name
from gateway.errors import Conflict, Invalid
from gateway.store.durable import Kept
from gateway.store.model import Resource
from gateway.store.transaction import Transaction

PREFIX = "52:54:00"
"""Beginning of all MACs that are made here: QEMU's, of the locally administered ones."""
MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
HOLDERS = ("NetworkPort", "MachineNetworkInterface")
LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
LONGEST_HOSTNAME = 253


@dataclass(frozen=True)
class NamedByHost(Kept):
    """The name that an admin gave to a network of the host's own; None for a network that the gateway made."""

    host_network: str | None = None


def uuid_of(network: Resource) -> str:
    """Return the UUID of the libvirt network, which is the Network's id."""
    return network.path.rpartition("/")[2]


def name_of(network: Resource) -> str:
    """Return libvirt's name of a Network: the gateway's own are named by their ids, the host's by the admin."""
    return NamedByHost.of(network).host_network or network_name(uuid_of(network))


# MAC addresses of guests' interfaces: each stands once on all hosts


def new_mac() -> str:
    """Return a random MAC address for an interface."""
    return f"{PREFIX}:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(3))


def checked_mac(given: str, where: str) -> str:
    """Return the MAC in lower case. Raises Invalid for what no interface can have: malformed, zero, multicast."""
    mac = given.strip().lower().replace("-", ":")
    if not MAC.fullmatch(mac) or int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        raise Invalid(f"{given[:40]!r} is no MAC address of an interface", where)
    if mac.startswith("fe:"):
        raise Invalid(f"{given[:40]!r} cannot be: the host's end of each interface begins with fe", where)
    return mac


async def check_free(transaction: Transaction, mac: str, *, port: str | None, where: str) -> None:
    """Raise Conflict when an interface or another port than ``port`` has this MAC."""
    for kind in HOLDERS:
        for holder in await transaction.find(kind, "macAddress", mac):
            if holder.path != port:
                raise Conflict(f"{where}: {mac} is the address of another {holder.kind} already")


# Names of hosts


def checked_hostname(text: str, attribute: str) -> str:
    """Return the name in lower case, without the dot at the end. Raises Invalid for what RFC 1123 does not allow."""
    name = text.strip().removesuffix(".").lower()
    if not 0 < len(name) <= LONGEST_HOSTNAME or not all(LABEL.fullmatch(label) for label in name.split(".")):
        raise Invalid(
            f"{text[:60]!r} is no host name: labels of letters, digits and inner hyphens, at most 63 characters each "
            f"and {LONGEST_HOSTNAME} together, with dots between them",
            attribute,
        )
    if name.rpartition(".")[2].isdigit():
        raise Invalid(f"{text[:60]!r} could be taken for an IPv4 address: its last label is a number", attribute)
    return name
