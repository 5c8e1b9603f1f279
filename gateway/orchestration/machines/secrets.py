"""Secrets of MachineTemplates and Credentials: kept beside the document, put back where they belong, erased."""

from __future__ import annotations

from gateway.orchestration.resources import erases
from gateway.store.model import Document, Resource


def with_secrets(template: Resource) -> Document:
    """A stored MachineTemplate as Machines are made by it: each secret stands where it was given."""
    secrets, document = template.internal.get("secrets", {}), dict(template.document)
    if "userData" in secrets:
        document["userData"] = secrets["userData"]
    if "password_hash" in secrets:
        document["credential"] = {**document["credential"], "password_hash": secrets["password_hash"]}
    return document


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
    internal = {} if "password" in given else credential.internal
    return {**credential.document, **internal}
