"""Reads TOML tables into dataclasses: every mistake is named with file and key."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from gateway.errors import GatewayError

T = TypeVar("T")
WORDS = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}


class ConfigError(GatewayError):
    """A configuration that cannot be used; the message names file and key."""


def read_table(path: Path, where: str, kind: type[T], given: Any) -> T:
    """Return the dataclass ``kind`` from a table. ``where`` is how people find it: ``[server]``, ``[[hypervisor]]``.

    A field may be a plain value, ``list[str]``, a Literal, or ``tuple[Dataclass, ...]`` for an array of tables. Raises
    ConfigError for the first mistake.
    """
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: {where} must be a section")
    hints = get_type_hints(kind)
    declared = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
    for key in given:
        if key not in declared:
            raise ConfigError(f"{path}: {where} {key}: unknown key; known are {', '.join(sorted(declared))}")
    for key, entry in declared.items():
        if key not in given and _required(entry):
            raise ConfigError(f"{path}: {where} {key}: is missing")
    return kind(**{key: _value(path, where, key, value, hints[key]) for key, value in given.items()})


def _required(entry: Field[Any]) -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def _value(path: Path, where: str, key: str, value: Any, wanted: Any) -> Any:
    if get_origin(wanted) is tuple and is_dataclass(get_args(wanted)[0]):
        return _tables(path, where, key, value, get_args(wanted)[0])
    if get_origin(wanted) is Literal:
        if value not in get_args(wanted):
            raise ConfigError(f"{path}: {where} {key}: must be one of {', '.join(get_args(wanted))}, not {value!r}")
    elif not _fits(value, wanted):
        raise ConfigError(f"{path}: {where} {key}: must be {WORDS.get(wanted, 'a list of strings')}, not {value!r}")
    return value


def _tables(path: Path, where: str, key: str, value: Any, kind: type[Any]) -> tuple[Any, ...]:
    """Return an array of tables below another: ``[[hypervisor.pools]]``."""
    inner = f"[[{where.strip('[]')}.{key}]]"
    if not isinstance(value, list):
        raise ConfigError(f"{path}: {inner} must be written with double brackets")
    return tuple(read_table(path, inner, kind, entry) for entry in value)


def _fits(value: Any, wanted: Any) -> bool:
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if wanted == list[str]:
        return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
    if wanted is str:
        return isinstance(value, str)
    return isinstance(value, wanted)
