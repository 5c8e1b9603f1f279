"""Checks of ``[[hypervisor.pools]]`` beyond the types of its keys."""

from __future__ import annotations

from pathlib import Path

from drivers.base import HypervisorSettings, PoolSettings
from gateway.config.reader import ConfigError

FORMATS = ("qcow2", "raw")
NEEDED: dict[str, tuple[str, ...]] = {
    "": (),
    "dir": ("path",),
    "netfs": ("path", "host", "source"),
    "logical": ("source",),
    "iscsi": ("host", "source"),
    "rbd": ("host", "source"),
}
"""What each kind of pool cannot be defined without."""
RAW_ONLY = frozenset({"logical", "iscsi", "rbd"})


def check_pools(path: Path, hypervisor: HypervisorSettings) -> None:
    """Raise ConfigError for the first mistake in the pools of a hypervisor's entry."""
    where = f"{path}: [[hypervisor.pools]]"
    names = [pool.name for pool in hypervisor.pools]
    if len(set(names)) != len(names):
        raise ConfigError(f"{where} name: two of {hypervisor.name} have the same name")
    for pool in hypervisor.pools:
        mistake = _mistake(pool)
        if mistake is not None:
            raise ConfigError(f"{where} {mistake}")


def _mistake(pool: PoolSettings) -> str | None:
    if not pool.name:
        return "name: must not be empty"
    missing = [key for key in NEEDED[pool.kind] if not getattr(pool, key)]
    if missing:
        return f"{missing[0]}: is missing; a pool of kind {pool.kind} is defined by {', '.join(NEEDED[pool.kind])}"
    if not pool.types:
        return "types: must not be empty"
    wrong = [name for name in pool.types if name != "mapped" and "://" not in name]
    if wrong:
        return f"types: must be mapped or URIs of your own, not {wrong[0]!r}"
    return _format_mistake(pool) or _number_mistake(pool)


def _format_mistake(pool: PoolSettings) -> str | None:
    unknown = [name for name in pool.formats if name not in FORMATS]
    if unknown:
        return f"formats: must be of {', '.join(FORMATS)}, not {unknown[0]!r}"
    if pool.kind in RAW_ONLY and "qcow2" in pool.formats:
        return f"formats: a pool of kind {pool.kind} holds raw volumes only"
    if pool.shareable and pool.formats != ["raw"]:
        return 'shareable: several Machines may share raw volumes only; set formats = ["raw"]'
    return None


def _number_mistake(pool: PoolSettings) -> str | None:
    if not 0 < pool.overcommit <= 1000:
        return f"overcommit: must be more than 0 and at most 1000, not {pool.overcommit:g}"
    if not 0 <= pool.port < 65536:
        return f"port: must be below 65536, not {pool.port}"
    if bool(pool.user) != bool(pool.secret):
        return "user and secret belong together"
    return None
