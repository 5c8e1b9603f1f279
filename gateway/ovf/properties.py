"""The values that guests are told: chosen, checked against type and qualifiers, put in for ``${key}`` (clause 9.5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.ovf.errors import PackageInvalid
from gateway.ovf.model import Product, Property
from gateway.ovf.qualifiers import Qualifier, qualifiers_of, words_of

INTEGERS = {
    **{f"uint{bits}": (0, 1 << bits) for bits in (8, 16, 32, 64)},
    **{f"sint{bits}": (-(1 << bits - 1), 1 << bits - 1) for bits in (8, 16, 32, 64)},
}
"""The first value that an integer's type holds, and the first beyond (DSP0004)."""
LONGEST_REAL = 90
LONGEST = 65_536


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a property. ``secret``: the package calls it a password, so nobody is shown it."""

    text: str
    secret: bool = False


def chosen_values(products: Iterable[Product], configuration: str | None, given: Mapping[str, str]) -> dict[str, Value]:
    """Return the values of all properties of these products, by their names for the guest.

    ``given`` are values of the importer. Raises PackageInvalid for a value that does not fit, or that nobody may
    choose.
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
    """Return the text with each ``${key}`` replaced by the property's value.

    Raises PackageInvalid for a key without a value, and for what becomes longer than any quantity is.
    """
    begin, *rest = text.split("${")
    parts = [begin]
    for piece in rest:
        key, end, behind = piece.partition("}")
        is_place = bool(key and end) and "{" not in key
        parts += [_value_of(key, values, where), behind] if is_place else ["${", piece]
    if sum(len(part) for part in parts) > LONGEST:
        raise PackageInvalid(f"{where} is longer than {LONGEST} characters")
    return "".join(parts)


def _value_of(key: str, values: Mapping[str, Value], where: str) -> str:
    value = values.get(key)
    if value is None or not value.text:
        raise PackageInvalid(
            f"{where} depends on the property {key[:60]!r}, which has no value; "
            f"give one as the action's property 'ovf.{key[:60]}'"
        )
    return value.text


def _check(declared: Property, name: str, text: str) -> None:
    if len(text) > LONGEST:
        raise PackageInvalid(f"the value of the property {name} is longer than {LONGEST} characters")
    quoted = "its value" if declared.password else repr(text[:40])
    if not _of_type(declared.type, text):
        raise PackageInvalid(f"the property {name}: {quoted} is no {declared.type[:20]}")
    for qualifier in qualifiers_of(declared.qualifiers, f"the property {name}"):
        if not _holds(qualifier, text):
            words = f"{qualifier.name}({qualifier.content[:60]})"
            raise PackageInvalid(f"the property {name}: {quoted} does not fit {words}")


def _of_type(kind: str, text: str) -> bool:
    """Return whether the text is of the type; strings and unknown types take everything."""
    if kind in INTEGERS:
        low, high = INTEGERS[kind]
        return _is_whole(text) and low <= int(text) < high
    if kind == "boolean":
        return text.lower() in ("true", "false")
    if kind in ("real32", "real64"):
        return _is_real(text)
    return True


def _holds(qualifier: Qualifier, text: str) -> bool:
    """Return whether a text keeps to a qualifier (clause 9.5.1).

    MinLen, MaxLen, MinValue, MaxValue and ValueMap are obeyed; others say nothing about the value.
    """
    name, content = qualifier.name.lower(), qualifier.content.strip()
    if name == "valuemap":
        return text in words_of(qualifier.content)
    if not _is_whole(content):
        return True
    bound = int(content)
    if name in ("minlen", "maxlen"):
        return len(text) >= bound if name == "minlen" else len(text) <= bound
    if name in ("minvalue", "maxvalue") and _is_whole(text):
        return int(text) >= bound if name == "minvalue" else int(text) <= bound
    return True


def _is_real(text: str) -> bool:
    """Return whether the text is a number in decimal digits, with a point and an exponent or without."""
    mantissa, exponential, exponent = text.lower().partition("e")
    whole, point, fraction = mantissa.partition(".")
    digits = whole[1:] if whole[:1] in ("+", "-") else whole
    parts = [digits, *([fraction] if point else [])]
    decimal = all(part.isascii() and part.isdecimal() for part in parts)
    return len(text) <= LONGEST_REAL and decimal and (not exponential or (len(exponent) <= 4 and _is_whole(exponent)))


def _is_whole(text: str) -> bool:
    """Return whether the text is a whole number of at most 20 digits, with a sign or without."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    return len(digits) <= 20 and digits.isascii() and digits.isdecimal()
