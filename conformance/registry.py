"""Registry of checks and audits: which function checks which entry of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

from conformance.catalogue import FAMILIES, Entry, catalogue
from conformance.provider import Provider
from conformance.wire import Exchange

Check = Callable[[Provider], None]
Audit = Callable[[Provider, Exchange], "str | bool | None"]

CHECKS: dict[str, Check] = {}
"""Checks that ask the provider something. They raise Violation, or NotOffered."""
AUDITS: dict[str, Audit] = {}
"""Checks that look at each exchange: None when it is none of theirs, True when it is well, else what is wrong."""
MODULES = (
    "protocol", "updates", "queries", "collections", "model", "metadata", "capabilities", "audits", "shapes",
    "machine_states",
    "machines", "machine_parts", "machine_images", "credentials", "volumes", "networks", "addresses", "monitoring",
    "jobs", "systems", "packages",
)  # fmt: skip


def check(name: str) -> Callable[[Check], Check]:
    """Register the function as the check of an entry, whose statement becomes its docstring.

    Raises LookupError when the catalogue has no such entry, or the entry is checked already.
    """

    def register(function: Check) -> Check:
        _describe(function, name)
        CHECKS[name] = function
        return function

    return register


def audit(name: str) -> Callable[[Audit], Audit]:
    """Register the function as the audit of an entry, as ``check`` registers a check."""

    def register(function: Audit) -> Audit:
        _describe(function, name)
        AUDITS[name] = function
        return function

    return register


def _describe(function: Check | Audit, name: str) -> None:
    if name not in catalogue():
        raise LookupError(f"{name} does not stand in the catalogue")
    if name in CHECKS or name in AUDITS:
        raise LookupError(f"{name} is checked twice")
    function.__doc__ = catalogue()[name].text


def load() -> None:
    """Import all checks. Raises LookupError when one has no entry, or an entry has no check."""
    for module in MODULES:
        import_module(f"conformance.checks.{module}")
    unchecked = [name for name in catalogue() if name not in CHECKS and name not in AUDITS]
    if unchecked:
        raise LookupError(f"no check for {', '.join(unchecked)}")


def ordered() -> Iterator[Entry]:
    """Yield the entries by family, as the catalogue has them."""
    return (entry for family in FAMILIES for entry in catalogue().values() if entry.family == family)
