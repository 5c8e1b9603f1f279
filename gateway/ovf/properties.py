"""The values that guests are told: chosen, checked against type and qualifiers, put in for ``${key}`` (clause 9.5)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.ovf.errors import PackageInvalid
from gateway.ovf.model import Product, Property

INTEGER = re.compile(r"([us])int(8|16|32|64)")
QUALIFIER = re.compile(r"(\w+)\s*[({]((?:\"(?:[^\"\\]|\\.)*\"|[^(){}\"])*)[)}]")
"""``MinLen(1)`` and ``ValueMap{"a","b"}``."""
PLACE = re.compile(r"\$\{([^{}]+)\}")
LONGEST = 65_536


@dataclass(frozen=True, slots=True)
class Value:
    """``secret``: the package calls it a password, so nobody is shown it."""

    text: str
    secret: bool = False


def chosen_values(products: Iterable[Product], configuration: str | None, given: Mapping[str, str]) -> dict[str, Value]:
    """Of all properties of these products, by their names for the guest. ``given`` are values of the importer.

    Raises PackageInvalid for a value that does not fit, or that nobody may choose.
    """
    values: dict[str, Value] = {}
    for product in products:
        for declared in product.properties:
            name = product.name_of(declared.key)
            default = declared.values.get(configuration or "", declared.value)
            if name in given and not declared.user_configurable and given[name] != default:
                raise PackageInvalid(f"the property {name} cannot be chosen: the package says its value")
            text = given.get(name, default)
            if text or name in given:
                _check(declared, name, text)
            values[name] = Value(text, declared.password)
    return values


def filled_in(text: str, values: Mapping[str, Value], where: str) -> str:
    """With each ``${key}`` replaced. Raises PackageInvalid for a key without a value."""

    def value_of(found: re.Match[str]) -> str:
        value = values.get(found.group(1))
        if value is None or not value.text:
            raise PackageInvalid(
                f"{where} depends on the property {found.group(1)[:60]!r}, which has no value; "
                f"give one as the action's property 'ovf.{found.group(1)[:60]}'"
            )
        return value.text

    return PLACE.sub(value_of, text)


def _check(declared: Property, name: str, text: str) -> None:
    if len(text) > LONGEST:
        raise PackageInvalid(f"the value of the property {name} is longer than {LONGEST} characters")
    shown = "its value" if declared.password else repr(text[:40])
    if not _of_type(declared.type, text):
        raise PackageInvalid(f"the property {name}: {shown} is no {declared.type[:20]}")
    for qualifier, content in QUALIFIER.findall(declared.qualifiers):
        if not _holds(qualifier.lower(), content, text):
            raise PackageInvalid(f"the property {name}: {shown} does not fit {qualifier}({content[:60]})")


def _of_type(kind: str, text: str) -> bool:
    """Whether the text is of the type; strings and unknown types take everything."""
    integer = INTEGER.fullmatch(kind)
    if integer is not None:
        if not re.fullmatch(r"[+-]?\d{1,20}", text):
            return False
        signed, bits = integer.group(1) == "s", int(integer.group(2))
        low, high = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
        return low <= int(text) < high
    if kind == "boolean":
        return text.lower() in ("true", "false")
    if kind in ("real32", "real64"):
        return re.fullmatch(r"[+-]?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?", text) is not None
    return True


def words_of(content: str) -> list[str]:
    """Return the words of a list such as ``"red, or so", blue``: in quotes, where a backslash escapes, or bare."""
    line = " ".join(content.splitlines())
    [words] = csv.reader([line], skipinitialspace=True, doublequote=False, escapechar="\\") if line else [[]]
    return [word.rstrip() for word in words]


def _holds(qualifier: str, content: str, text: str) -> bool:
    """MinLen, MaxLen, MinValue, MaxValue and ValueMap (clause 9.5.1 table); others say nothing about the value."""
    if qualifier == "valuemap":
        return text in words_of(content)
    if not re.fullmatch(r"\s*[+-]?\d{1,19}\s*", content):
        return True
    bound = int(content)
    if qualifier in ("minlen", "maxlen"):
        return len(text) >= bound if qualifier == "minlen" else len(text) <= bound
    if qualifier in ("minvalue", "maxvalue") and re.fullmatch(r"[+-]?\d{1,20}", text):
        return int(text) >= bound if qualifier == "minvalue" else int(text) <= bound
    return True
