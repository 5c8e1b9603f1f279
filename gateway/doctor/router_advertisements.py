"""IPv6 by router advertisement on a host that routes: the kernel takes both only where accept_ra is 2.

libvirt starts no network with IPv6 while an interface has such routes and another accept_ra, and switching forwarding
on by hand makes the kernel drop the routes.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from gateway.doctor.finding import Finding

ROUTES = Path("/proc/net/ipv6_route")
CONF = Path("/proc/sys/net/ipv6/conf")
BY_ADVERTISEMENT = 0x0004_0000
"""RTF_ADDRCONF of the kernel's route flags: by a router's advertisement."""
EVEN_WHEN_ROUTING = "2"
FILE = "/etc/sysctl.d/60-cimi-gateway.conf"


def advertised(routes: Path = ROUTES) -> tuple[str, ...]:
    """Return the names of the interfaces with routes by router advertisement; none where there is no IPv6."""
    try:
        lines = routes.read_text().splitlines()
    except OSError:
        return ()
    entries = [line.split() for line in lines]
    return tuple(sorted({entry[9] for entry in entries if int(entry[8], 16) & BY_ADVERTISEMENT}))


def router_advertisements(routes: Path = ROUTES, conf: Path = CONF) -> list[Finding]:
    """Return an error for each interface on which libvirt's networks and router advertisements do not go together."""
    findings = []
    for name in advertised(routes):
        value = (conf / name / "accept_ra").read_text().strip()
        if value != EVEN_WHEN_ROUTING:
            findings.append(_refused(name, value))
    return findings or [Finding("ok", "router advertisements", "no interface's IPv6 is in the way of networks")]


def _refused(name: str, value: str) -> Finding:
    message = (
        f"{name} gets its IPv6 by router advertisement with accept_ra={value}: libvirt starts no network with IPv6, "
        "and forwarding would take the interface's routes away"
    )
    # With slashes, since an interface's name may have dots.
    line = f"net/ipv6/conf/{name}/accept_ra = {EVEN_WHEN_ROUTING}"
    command = f"echo {shlex.quote(line)} >> {FILE} && sysctl -p {FILE}"
    return Finding("error", "router advertisements", message, command, fixable=True)
