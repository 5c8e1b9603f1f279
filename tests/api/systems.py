"""Documents and small helps that the tests of Systems share."""

from __future__ import annotations

from typing import Any

from tests.api.client import ApiClient

TYPE = "http://schemas.dmtf.org/cimi/1/"


def described(kind: str, template: dict[str, Any], name: str | None = None, **more: Any) -> dict[str, Any]:
    """A component descriptor."""
    attribute = f"{kind[0].lower()}{kind[1:]}Template"
    named = {"name": name} if name else {}
    return {**named, "type": TYPE + kind, attribute: template, **more}


def machine(image: str, name: str | None = "web", quantity: int = 1, **template: Any) -> dict[str, Any]:
    config = {"cpu": 1, "memory": 131072}
    whole = {"machineConfig": config, "machineImage": {"href": image}, **template}
    return described("Machine", whole, name, **({"quantity": quantity} if quantity > 1 else {}))


def network(name: str = "front", **config: Any) -> dict[str, Any]:
    return described("Network", {"networkConfig": {"networkType": "PRIVATE", **config}}, name)


def volume(name: str = "data", quantity: int = 1, **template: Any) -> dict[str, Any]:
    more = {"quantity": quantity} if quantity > 1 else {}
    return described("Volume", {"volumeConfig": {"capacity": 1000}, **template}, name, **more)


def on(name: str, **more: Any) -> list[dict[str, Any]]:
    """Interfaces on the network of this name."""
    return [{"network": {"href": f"#{name}"}, **more}]


def system(*descriptors: dict[str, Any], name: str = "shop", **template: Any) -> dict[str, Any]:
    return {"name": name, "systemTemplate": {"componentDescriptors": list(descriptors), **template}}


async def made(client: ApiClient, *descriptors: dict[str, Any], **template: Any) -> str:
    """URL of a System that is whole."""
    answer = await client.post("systems", system(*descriptors, **template), Prefer="wait=60")
    assert answer.status == 201, answer.text
    return answer.location


async def members(client: ApiClient, url: str, collection: str) -> dict[str, dict[str, Any]]:
    """The resources in a collection of a System, by the names that their memberships have."""
    listed = await client.document(f"{url}/{collection}")
    key = next((name for name in listed if name.startswith("system")), "")
    found = {}
    for entry in listed.get(key, []):
        [reference] = [value for value in entry.values() if isinstance(value, dict) and "href" in value]
        found[entry.get("name", "")] = await client.document(reference["href"])
    return found
