"""Names of hosts: they end up in the DHCP and DNS server's files, so only what is a name passes."""

from __future__ import annotations

import re

from gateway.errors import Invalid

LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
LONGEST = 253


def checked_hostname(text: str, attribute: str) -> str:
    """Return the name in lower case, without the dot at the end. Raises Invalid for what RFC 1123 does not allow."""
    name = text.strip().removesuffix(".").lower()
    if not 0 < len(name) <= LONGEST or not all(LABEL.fullmatch(label) for label in name.split(".")):
        raise Invalid(
            f"{text[:60]!r} is no host name: labels of letters, digits and inner hyphens, at most 63 characters each "
            f"and {LONGEST} together, with dots between them",
            attribute,
        )
    if name.rpartition(".")[2].isdigit():
        raise Invalid(f"{text[:60]!r} could be taken for an IPv4 address: its last label is a number", attribute)
    return name
