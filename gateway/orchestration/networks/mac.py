"""MAC addresses of guests' interfaces: each stands once on all hosts."""

from __future__ import annotations

import re
import secrets

from gateway.errors import Conflict, Invalid
from gateway.store.transaction import Transaction

PREFIX = "52:54:00"
"""Beginning of all MACs that are made here: QEMU's, of the locally administered ones."""
MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
HOLDERS = ("NetworkPort", "MachineNetworkInterface")


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
