"""Values of dataclasses as JSON and back, by their declared types: nothing else can come of what the other end says.

A dataclass is a JSON object of its fields that are not at their defaults, with its name where several may stand.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

NAME = "#"


class WrongForm(Exception):
    """The JSON is not of the declared type."""


def form_of(value: Any) -> Any:
    """Return the value as what JSON can say."""
    if is_dataclass(value) and not isinstance(value, type):
        values = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
        defaults = _defaults(type(value))
        kept = {name: form_of(one) for name, one in values.items() if name not in defaults or one != defaults[name]}
        return {NAME: type(value).__name__, **kept}
    if isinstance(value, Mapping):
        return {str(key): form_of(one) for key, one in value.items()}
    if isinstance(value, frozenset):
        return [form_of(one) for one in sorted(value)]
    if isinstance(value, (tuple, list)):
        return [form_of(one) for one in value]
    return value


def value_of(kind: Any, form: Any) -> Any:
    """Return the value of this type which the form stands for. Raises WrongForm."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _one_of(arguments, form)
    if origin in (tuple, frozenset):
        return _many(origin, arguments, form)
    if origin is dict:
        if not isinstance(form, dict):
            raise WrongForm(f"{form!r:.40} is no mapping")
        return {key: value_of(arguments[1], one) for key, one in form.items()}
    if is_dataclass(kind) and isinstance(kind, type):
        return _instance(kind, form)
    if kind is type(None) and form is None:
        return None
    # A truth is an int to Python, but no number here.
    if not isinstance(kind, type) or type(form) is not kind:
        raise WrongForm(f"{form!r:.40} is no {kind}")
    return form


def _one_of(kinds: tuple[Any, ...], form: Any) -> Any:
    if isinstance(form, dict):
        for kind in kinds:
            if getattr(kind, "__name__", "") == form.get(NAME):
                return _instance(kind, form)
    for kind in kinds:
        if not is_dataclass(kind):
            try:
                return value_of(kind, form)
            except WrongForm:
                continue
    raise WrongForm(f"{form!r:.40} is none of the types that may stand there")


def _many(origin: type, arguments: tuple[Any, ...], form: Any) -> Any:
    if not isinstance(form, list):
        raise WrongForm(f"{form!r:.40} is no list")
    if origin is frozenset or arguments[1:] == (...,):
        return origin(value_of(arguments[0], one) for one in form)
    if len(form) != len(arguments):
        raise WrongForm(f"there are {len(form)} values where {len(arguments)} belong")
    return tuple(value_of(kind, one) for kind, one in zip(arguments, form, strict=True))


def _instance(kind: type, form: Any) -> Any:
    declared = _types(kind)
    if not isinstance(form, dict) or form.get(NAME) != kind.__name__:
        raise WrongForm(f"{form!r:.40} is no {kind.__name__}")
    if not form.keys() <= declared.keys() | {NAME}:
        raise WrongForm(f"a {kind.__name__} has no such fields")
    try:
        return kind(**{name: value_of(declared[name], one) for name, one in form.items() if name != NAME})
    except TypeError:
        raise WrongForm(f"a {kind.__name__} lacks a field") from None


@cache
def _types(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind) if field.init}


@cache
def _defaults(kind: type) -> dict[str, Any]:
    return {field.name: _default(field) for field in fields(kind) if _default(field) is not MISSING}


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default
