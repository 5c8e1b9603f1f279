"""The names of a resource in a document: its ``href``, or the whole resource with its ``id`` (DSP0263 4.2.1).

Clients of 1.x send back the whole resource that they read where a reference belongs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any


def referred(value: Mapping[str, Any]) -> Any:
    """Return the URI that a reference in JSON names: its ``href``; where that is absent, its ``id``."""
    return value["href"] if value.get("href") is not None else value.get("id")


def referred_in_xml(node: Mapping[str, Any]) -> Any:
    """Return the URI that a reference in XML names, as ``referred``; ``id`` is an element or an attribute."""
    if "@href" in node:
        return node["@href"]
    return next((value for name, value in node.items() if name.lstrip("@").rpartition(":")[2] == "id"), None)


@cache
def representation_names(kind: str) -> frozenset[str]:
    """Return the names that a whole resource of a kind shows, in JSON and in XML."""
    from gateway.cimi.registry import TYPES  # The declarations stand on this module.

    attributes = TYPES[kind].attributes if kind in TYPES else {}
    return frozenset(attributes) | {field.element for field in attributes.values()}


def names_a(kind: str, uri: str) -> bool:
    """Return whether a URI ends as those of a root collection's resources do: ``machineImages/7f3c``."""
    from gateway.cimi.registry import (
        canonical,  # The declarations stand on this module.
        type_at,
    )

    described = type_at(canonical("/".join(uri.strip().rstrip("/").split("/")[-2:])))
    return described is not None and described.kind == kind
