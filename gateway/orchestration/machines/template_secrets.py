"""Secrets of MachineTemplates: kept beside the document, put back, and erased with what they belong to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.orchestration.common.resource_service import erases
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.store.durable import Kept, Secret, keyed, readable
from gateway.store.model import Document, Resource


@dataclass(frozen=True)
class TemplateSecrets:
    """The secrets of a MachineTemplate, which it does not show."""

    user_data: Secret | None = keyed("userData", default=None)
    password_hash: Secret | None = None
    """Hash of the password in the template's credential."""


@dataclass(frozen=True)
class KeptTemplate(Kept):
    """Facts of a MachineTemplate."""

    secrets: TemplateSecrets = TemplateSecrets()


def with_secrets(template: Resource) -> Document:
    """Return a stored MachineTemplate as Machines are made by it: each secret stands where it was given.

    Raises Conflict for a secret that the store could not open.
    """
    secrets, document = KeptTemplate.of(template).secrets, dict(template.document)
    if secrets.user_data is not None:
        document["userData"] = readable(secrets.user_data, template.path)
    if secrets.password_hash is not None:
        hashed = readable(secrets.password_hash, template.path)
        document["credential"] = {**document["credential"], "password_hash": hashed}
    return document


def without_seed_secrets(machine: Resource) -> Resource:
    """Return a Machine whose seed is made and needs no secrets any more; that it told an environment stays kept."""
    seed = KeptMachine.of(machine).seed
    environment = True if seed.environment is not None else None
    kept = replace(seed, user_data=None, password_hash=None, environment=environment)
    return KeptMachine.changed(machine, seed=kept)


def remaining_secrets(
    before: Resource, after: Resource, document: Document, selected: frozenset[str] | None
) -> TemplateSecrets:
    """Return the secrets of a MachineTemplate that an update with this document leaves.

    A password goes with the credential that it was given in: with its reference, or its user.
    """
    secrets = KeptTemplate.of(before).secrets
    if erases(document, selected, "userData"):
        secrets = replace(secrets, user_data=None)
    was, now = (resource.document.get("credential") for resource in (before, after))
    same = was and now and all(was.get(name) == now.get(name) for name in ("href", "userName"))
    if not same or erases(document.get("credential", {}), None, "password"):
        secrets = replace(secrets, password_hash=None)
    return secrets
