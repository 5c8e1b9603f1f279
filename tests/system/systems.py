"""Documents of Systems for the tests with real guests."""

from __future__ import annotations

from typing import Any

TYPE = "http://schemas.dmtf.org/cimi/1/"


def descriptor(kind: str, template: dict[str, Any], name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": TYPE + kind, f"{kind[0].lower()}{kind[1:]}Template": template, **more}


def whole(*descriptors: dict[str, Any]) -> dict[str, Any]:
    return {"name": "shop", "systemTemplate": {"componentDescriptors": list(descriptors)}}
