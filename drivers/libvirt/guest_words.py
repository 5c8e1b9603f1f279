"""Words of guests, made into what may be believed to be well formed: whatever they send, it is typed and bounded.

A guest's agent, its DHCP requests and its ARP packets are a stranger's bytes, and libvirt hands them on as they come.
"""

from __future__ import annotations

import ipaddress
from typing import Any

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
LONGEST_ADDRESS = 45
LONGEST_NAME = 253
"""Characters: of an IPv6 address with an IPv4 address in it; of a DNS name."""
LONGEST_MAC = 17


def ip_address(text: object) -> IP | None:
    """Return the address that another host may reach, None for loopback, link-local, multicast, scoped, no address."""
    if not isinstance(text, str) or len(text) > LONGEST_ADDRESS or "%" in text:
        return None
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    reachable = not (ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified)
    return ip if reachable else None


def prefix_length(number: object, ip: IP) -> int:
    """Return the length of the address's network, 0 when that is not known."""
    if not isinstance(number, int) or not 0 <= number <= ip.max_prefixlen:
        return 0
    return number


def mac_address(text: object) -> str:
    """Return the MAC address in lower case, or an empty text."""
    return text.lower() if isinstance(text, str) and len(text) == LONGEST_MAC and text.isascii() else ""


def host_name(text: object) -> str | None:
    """Return the name without control characters, cut to what DNS can hold; None when nothing is left."""
    if not isinstance(text, str):
        return None
    printable = "".join(character for character in text[:LONGEST_NAME] if character.isprintable()).strip()
    return printable or None


def seconds(number: Any) -> int:
    """Return a moment in seconds since 1970, 0 when there is none."""
    return number if isinstance(number, int) and number > 0 else 0
