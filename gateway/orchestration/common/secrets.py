"""Secrets of MachineTemplates and Credentials: kept beside the document, put back where they belong, erased."""

from __future__ import annotations

from gateway.orchestration.common.readable import demand_readable
from gateway.orchestration.common.resource_service import erases
from gateway.store.model import Document, Resource

HASH = frozenset({"password_hash"})
ONCE = frozenset({"user_data", "password_hash"})
"""What a seed is made of and nothing needs later."""


def with_secrets(template: Resource) -> Document:
    """A stored MachineTemplate as Machines are made by it: each secret stands where it was given.

    Raises Conflict for one that cannot be read.
    """
    secrets, document = template.internal.get("secrets", {}), dict(template.document)
    demand_readable(secrets, template.path)
    if "userData" in secrets:
        document["userData"] = secrets["userData"]
    if "password_hash" in secrets:
        document["credential"] = {**document["credential"], "password_hash": secrets["password_hash"]}
    return document


def without_seed_secrets(machine: Resource) -> Resource:
    """Return a Machine whose seed is made, and so needed no more; that it told an environment stays known."""
    seed = {name: value for name, value in machine.internal.get("seed", {}).items() if name not in ONCE}
    if "environment" in seed:
        seed["environment"] = True
    return machine.with_internal(seed=seed)


def staying(before: Resource, after: Resource, document: Document, selected: frozenset[str] | None) -> Document:
    """The secrets of a MachineTemplate which an update with this document leaves.

    A password goes with the credential that it was given in: with its reference, or its user.
    """
    kept: Document = dict(before.internal.get("secrets", {}))
    if erases(document, selected, "userData"):
        kept.pop("userData", None)
    was, now = (resource.document.get("credential") for resource in (before, after))
    same = was and now and all(was.get(name) == now.get(name) for name in ("href", "userName"))
    if not same or erases(document.get("credential", {}), None, "password"):
        kept.pop("password_hash", None)
    return kept


def overridden(credential: Resource, given: Document) -> Document:
    """What a stored Credential holds, its password as a hash unless that is overridden or erased."""
    kept = {name: value for name, value in credential.internal.items() if name in HASH and "password" not in given}
    demand_readable(kept, credential.path)
    return {**credential.document, **kept}
