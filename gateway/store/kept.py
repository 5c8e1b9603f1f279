"""The facts of a resource beside its document, as a frozen dataclass per type: where it lives, its parts.

Several such classes may look at one resource, each at the facts that are its own: ``KeptMachine.of(machine).disks``
and ``Hosted.of(machine).host``. ``on`` writes the facts of one class back, and leaves those of the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from gateway.store.durable import from_document, keys_of, to_document
from gateway.store.model import Resource


@dataclass(frozen=True)
class Kept:
    """Facts of one resource, which never leave the process."""

    @classmethod
    def of(cls, resource: Resource) -> Self:
        """Return the facts as the store has them."""
        return from_document(resource.internal, cls)

    def on(self, resource: Resource) -> Resource:
        """Return the resource with these facts in place of its former ones."""
        own = keys_of(type(self))
        others = {key: value for key, value in resource.internal.items() if key not in own}
        return replace(resource, internal={**others, **to_document(self)})

    @classmethod
    def changed(cls, resource: Resource, **facts: Any) -> Resource:
        """Return the resource with some facts of this class changed."""
        return replace(cls.of(resource), **facts).on(resource)


@dataclass(frozen=True)
class Hosted(Kept):
    """The place where a resource lives."""

    host: str | None = None
    """Name of the hypervisor's entry in the configuration; None for what is on no host, or on all."""
