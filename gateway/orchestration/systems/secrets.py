"""Secrets inside component descriptors: hashed, kept beside the document, and kept when the rest is sent back."""

from __future__ import annotations

from typing import Any

from drivers.passwords import sha512_crypt
from drivers.threads import GUEST_PASSWORDS
from gateway.cimi.fields import Attribute
from gateway.cimi.references import Array, Structure, schema_fields
from gateway.cimi.system import SystemTemplateSchema
from gateway.errors import Invalid
from gateway.orchestration.systems.blueprint import MOST_COMPONENTS
from gateway.orchestration.systems.facts import KeptTemplate
from gateway.store.durable import demand_readable
from gateway.store.model import Document, Resource

DESCRIPTORS = schema_fields(SystemTemplateSchema)["componentDescriptors"]
KEPT = ("userData", "password_hash", "environment", "content_image", "device")
"""What clients cannot read, and therefore do not send back."""
SAME = ("name", "type", "href", "userName")
"""Members that tell a thing: where one of them differs it is another thing, whose secrets are its own."""


async def hashed(value: Any) -> Any:
    """Return the value with each password as its crypt hash, in which form it goes to disk.

    Raises Invalid for more of them than a System can have: each takes its time, by design.
    """
    number = _passwords(value)
    if number > MOST_COMPONENTS:
        raise Invalid(f"hold {number} passwords; at most {MOST_COMPONENTS} are allowed", "componentDescriptors")
    return await _hashed(value)


def _passwords(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_passwords, value))
    if not isinstance(value, dict):
        return 0
    return bool(value.get("password")) + sum(map(_passwords, value.values()))


async def _hashed(value: Any) -> Any:
    if isinstance(value, list):
        return [await _hashed(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    result = {name: await _hashed(entry) for name, entry in value.items() if name != "password" or entry is None}
    if value.get("password"):
        result["password_hash"] = await GUEST_PASSWORDS.run(sha512_crypt, value["password"])
    return result


def without_secrets(descriptors: list[Document]) -> list[Document]:
    """Return what clients may read of the descriptors."""
    readable: list[Document] = _without_secrets(DESCRIPTORS, descriptors)
    return readable


def _without_secrets(field: Attribute, value: Any) -> Any:
    if isinstance(field, Array) and isinstance(value, list):
        return [_without_secrets(field.entry, entry) for entry in value]
    if not isinstance(field, Structure) or not isinstance(value, dict):
        return value
    members = field.members
    return {
        name: _without_secrets(members[name], entry) if name in members else entry
        for name, entry in value.items()
        if name == "href" or (name in members and not members[name].write_only)
    }


def whole(template: Resource) -> Document:
    """Return a stored SystemTemplate as Systems are made by it. Raises Conflict for a secret that cannot be read."""
    descriptors = list(KeptTemplate.of(template).descriptors or ())
    demand_readable(descriptors, template.path)
    return {**template.document, **({"componentDescriptors": descriptors} if descriptors else {})}


def _same(before: list[Any], place: int, after: list[Any]) -> Any:
    """Return what an entry of a list was: the entry of its name; where it has none, that of its place.

    In lists of other lengths it is the last without a name.
    """
    name = after[place].get("name")
    if name is None and len(before) == len(after):
        return before[place]
    named = [other for other in before if isinstance(other, dict) and other.get("name") == name]
    # Whose content a disk was, its place alone tells.
    return next((other for other in reversed(named) if name is not None or "content_image" not in other), None)


def with_kept(before: Any, after: Any) -> Any:
    """Return ``after`` with the secrets that ``before`` has and a client could not send again."""
    if isinstance(before, list) and isinstance(after, list):
        return [
            with_kept(_same(before, place, after), entry) if isinstance(entry, dict) else entry
            for place, entry in enumerate(after)
        ]
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after
    if any(before.get(name) != after.get(name) for name in SAME):
        return after
    kept = {name: before[name] for name in KEPT if name in before and name not in after}
    if "password" in after:
        kept.pop("password_hash", None)
    # Properties are the client's own: what stands there is no secret, whatever it is called.
    former = {name: before.get(name) for name in after if name != "properties"}
    return {**kept, **{name: with_kept(former.get(name), entry) for name, entry in after.items()}}
