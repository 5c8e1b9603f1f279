"""Checks of networks in the configuration, which must be possible before anything is built on it."""

from __future__ import annotations

import ipaddress
import itertools
import re
from pathlib import Path

from drivers.base import AddressPool, BandwidthClass, HypervisorSettings
from gateway.config.reader import ConfigError

LONGEST_IPV4_PREFIX = 29
"""A network needs some addresses for the host, for reservations and for DHCP."""
IPV6_PREFIX = 64
"""What stateless configuration of guests demands."""
DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def check_networks(path: Path, settings: HypervisorSettings) -> None:
    """Raise ConfigError for the first mistake in what a hypervisor's entry says of networks."""
    pools = [(_pool(path, pool), pool) for pool in settings.address_pools]
    for (one, _), (other, written) in itertools.combinations(pools, 2):
        if one.overlaps(other):
            _refuse(path, "address_pools", f"range {written.range} overlaps with another pool")
    names = [entry.name for entry in settings.bandwidth_classes]
    if len({name.casefold() for name in names}) != len(names):
        _refuse(path, "bandwidth_classes", "two have the same name")
    for entry in settings.bandwidth_classes:
        _class(path, entry)
    if settings.public_networks == "bridge" and not settings.public_bridge:
        _refuse(path, "public_bridge", "is missing, since public_networks is bridge", "")
    if not 1280 <= settings.largest_mtu <= 65535:
        _refuse(path, "largest_mtu", f"must be between 1280 and 65535, not {settings.largest_mtu}", "")
    if not DOMAIN.fullmatch(settings.dns_domain):
        _refuse(path, "dns_domain", f"{settings.dns_domain!r} is no DNS domain in lower case", "")


def _refuse(path: Path, key: str, message: str, brackets: str = "hypervisor.") -> None:
    where = f"[[hypervisor.{key}]]" if brackets else f"[[hypervisor]] {key}:"
    raise ConfigError(f"{path}: {where} {message}")


def _pool(path: Path, pool: AddressPool) -> Network:
    try:
        network = ipaddress.ip_network(pool.range)
    except ValueError as error:
        raise ConfigError(f"{path}: [[hypervisor.address_pools]] range: {error}") from None
    longest = LONGEST_IPV4_PREFIX if network.version == 4 else IPV6_PREFIX
    shortest = network.prefixlen if network.version == 4 else max(network.prefixlen, IPV6_PREFIX)
    if not shortest <= pool.prefix <= longest:
        _refuse(
            path,
            "address_pools",
            f"prefix: must be between {shortest} and {longest} for {pool.range}, not {pool.prefix}",
        )
    return network


def _class(path: Path, entry: BandwidthClass) -> None:
    for direction in ("inbound", "outbound"):
        average, peak, burst = (getattr(entry, direction + end) for end in ("", "_peak", "_burst"))
        if min(average, peak, burst) < 0:
            _refuse(path, "bandwidth_classes", f"{entry.name}: {direction}: must not be negative")
        if (peak or burst) and not average:
            _refuse(path, "bandwidth_classes", f"{entry.name}: {direction}: is missing beside its peak or burst")
        if peak and peak < average:
            _refuse(path, "bandwidth_classes", f"{entry.name}: {direction}_peak: must be at least {average}")
    if not entry.name:
        _refuse(path, "bandwidth_classes", "name: must not be empty")
