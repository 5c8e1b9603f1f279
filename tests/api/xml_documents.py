"""XML of any JSON-shaped document by the declarations: what is no XML of CIMI is written all the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from gateway.cimi.fields import Attribute, Map
from gateway.cimi.references import Array, Structure

NAMESPACE = "http://schemas.dmtf.org/cimi/1"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def as_xml(root: str, members: Mapping[str, Attribute], document: Any) -> bytes:
    return _element(f'{root} xmlns="{NAMESPACE}"', members, document).encode("utf-8", "replace")


def _element(opening: str, members: Mapping[str, Attribute], value: Any) -> str:
    name = opening.split()[0]
    if not isinstance(value, dict):
        return f"<{opening}/>" if value is None else f"<{opening}>{escape(_text(value))}</{name}>"
    flat = {key for key, entry in value.items() if key == "href" or _is_attribute(members.get(key))}
    attributes = "".join(f" {key}={quoteattr(_text(value[key]))}" for key in sorted(flat) if NAME.fullmatch(key))
    inner = "".join(_member(key, members.get(key), entry) for key, entry in value.items() if key not in flat)
    return f"<{opening}{attributes}>{inner}</{name}>"


def _is_attribute(member: Attribute | None) -> bool:
    return member is not None and member.xml_attribute


def _member(key: str, member: Attribute | None, value: Any) -> str:
    if isinstance(member, Map) and isinstance(value, dict):
        return "".join(f"<property key={quoteattr(_text(k))}>{escape(_text(v))}</property>" for k, v in value.items())
    name = member.element if member is not None else key if NAME.fullmatch(key) else "odd"
    inner = member.entry if isinstance(member, Array) else member
    members = inner.members if isinstance(inner, Structure) else {}
    return "".join(_element(name, members, entry) for entry in (value if isinstance(value, list) else [value]))


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
