"""An XML element's children and attributes as the raw value of the members that a structure declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from gateway.cimi.fields import Attribute


def nested_from_xml(members: dict[str, Attribute], node: Any) -> dict[str, Any]:
    """Return the raw value of a structure's element. Raises ValidationError for text where elements belong."""
    if node is None:
        return {}
    if not isinstance(node, Mapping):
        texts = [name for name, member in members.items() if member.xml_text]
        if texts and isinstance(node, str):
            return {texts[0]: node}
        raise ValidationError("must have child elements")
    return raw_from_xml(members, node)


def raw_from_xml(members: dict[str, Attribute], node: Mapping[str, Any]) -> dict[str, Any]:
    """Return an element's children and XML attributes as a raw JSON-shaped dict, by the declared members.

    A member that is not declared stays in under its own name, so that the check for unknown attributes sees it.
    """
    by_element: dict[str, str] = {}
    for name, member in members.items():
        for spelling in (name, member.element, *member.aliases):
            by_element.setdefault(spelling, name)
    raw: dict[str, Any] = {}
    for key, value in node.items():
        if key.startswith("@") and (":" in key or key == "@xmlns"):
            continue
        local = key.lstrip("@").rpartition(":")[2]
        if local == "#text":
            _read_text(members, value, raw)
            continue
        declared = by_element.get(local)
        name = declared or local
        if name in raw:
            raise ValidationError({name: ["stands more than once, by several names"]})
        raw[name] = _member_from_xml(members[declared], local, value) if declared else value
    return raw


def _read_text(members: dict[str, Attribute], value: Any, raw: dict[str, Any]) -> None:
    for name, member in members.items():
        if member.xml_text:
            raw[name] = value
            return
    raise ValidationError(f"has text between its elements: {str(value)[:60]!r}")


def _member_from_xml(member: Attribute, local: str, value: Any) -> Any:
    wrapped = member.item and local == member.name and local != member.item
    if isinstance(value, Mapping) and all(_declares_namespace(name) for name in value):
        value = None
    if wrapped and value is None:
        return None
    if wrapped and isinstance(value, Mapping) and member.item in value:
        value = value[str(member.item)]
    try:
        return member.from_xml(value)
    except ValidationError as error:
        raise ValidationError({str(member.name): error.messages}) from None


def _declares_namespace(name: str) -> bool:
    """Return whether an XML attribute only says which namespace a prefix means."""
    return name == "@xmlns" or name.startswith("@xmlns:")
