"""Structures and enumerations inside of schemas, as components of their own: each once, however often it is used.

Generators of clients make a type of each structure that stands somewhere in place; of those here they make one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Described = dict[str, Any]
PARTS = frozenset({"type", "enum", "properties", "required", "additionalProperties", "maxProperties"})
"""What a structure or an enumeration is; all else is said where it is used."""
INNER = ("items", "additionalProperties")
COMPONENTS = "#/components/schemas/"
COMMON = {("href",): "Reference", ("rel", "href"): "Operation", (): "Properties"}
"""Names of structures that are no attribute's own, by their members."""


def with_shared(schemas: Mapping[str, Described]) -> dict[str, Described]:
    """Return the components with those that they share: a structure in the place of another is a reference to it."""
    sharing = _Sharing(frozenset(schemas))
    whole = {name: sharing.whole(name, schema) for name, schema in schemas.items()}
    return {**whole, **sharing.components}


class _Sharing:
    """The shared structures found so far. ``taken`` are names of other components."""

    def __init__(self, taken: frozenset[str]) -> None:
        self.components: dict[str, Described] = {}
        self._names: dict[str, str] = {}
        self._taken = taken
        self._root = ""
        """The component that is looked through now."""

    def whole(self, name: str, schema: Described) -> Described:
        """Return a component of this name with references in place of the structures in it."""
        self._root = name
        return self.inside(name, schema)

    def inside(self, name: str, schema: Described) -> Described:
        """Return a schema with references in place of the structures in it; ``name`` is the attribute's."""
        changed = dict(schema)
        if "properties" in changed:
            changed["properties"] = {key: self._shared(key, part) for key, part in changed["properties"].items()}
        for key in INNER:
            if isinstance(changed.get(key), dict):
                changed[key] = self._shared(name, changed[key])
        return changed

    def _shared(self, name: str, schema: Described) -> Described:
        schema = self.inside(name, schema)
        if schema.get("type") != "object" and "enum" not in schema:
            return schema
        structure = {key: value for key, value in schema.items() if key in PARTS}
        said = {key: value for key, value in schema.items() if key not in PARTS}
        return {"$ref": COMPONENTS + self._component(name, structure), **said}

    def _component(self, attribute: str, structure: Described) -> str:
        """Return the name of the component that a structure is."""
        text = json.dumps(structure, sort_keys=True)
        if text not in self._names:
            name = self._free(attribute, structure)
            self._names[text] = name
            self.components[name] = structure
        return self._names[text]

    def _free(self, attribute: str, structure: Described) -> str:
        """Return a name that no component has yet: closed structures are sent, open ones are read."""
        members = tuple(structure.get("properties", ()))
        own = f"{attribute[0].upper()}{attribute[1:]}Value"
        plain = own if "enum" in structure else COMMON.get(members, own)
        name = f"{plain}Input" if structure.get("additionalProperties") is False else plain
        owned = f"{self._root}{name}"
        names = (name, owned, *(f"{owned}{number}" for number in range(2, len(self.components) + 3)))
        return next(each for each in names if each not in self.components and each not in self._taken)
