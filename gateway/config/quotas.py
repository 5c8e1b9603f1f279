"""The sections [quotas] and [user_quotas]: how much projects and users may have; how often a host may be promised."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drivers.base import HypervisorSettings
from gateway.config.reader import ConfigError
from gateway.quotas import BY_NAME

QUOTA_SECTIONS = ("quotas", "user_quotas")


def read_quotas(path: Path, section: str, given: Any) -> Mapping[str, int]:
    """Return the quotas in a table, by their names. Raises ConfigError for the first mistake."""
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: [{section}] must be a section")
    offered = {name: quota for name, quota in BY_NAME.items() if quota.counted or section == "quotas"}
    for name, value in given.items():
        if name not in offered:
            raise ConfigError(f"{path}: [{section}] {name}: unknown key; known are {', '.join(sorted(offered))}")
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ConfigError(f"{path}: [{section}] {name}: must be a whole number, at least 0, not {value!r}")
    return dict(given)


def check_overcommit(path: Path, hypervisor: HypervisorSettings) -> None:
    """Raise ConfigError for a number of times that a host cannot be promised."""
    for key in ("memory_overcommit", "cpu_overcommit"):
        value = getattr(hypervisor, key)
        if not 0 <= value < math.inf:
            raise ConfigError(f"{path}: [[hypervisor]] {key}: must be at least 0, not {value:g}")
