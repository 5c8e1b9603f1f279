"""The facts that are kept of Systems, of what is in them, and of SystemTemplates beside their documents."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.store.durable import Kept
from gateway.store.model import Document


@dataclass(frozen=True)
class KeptSystem(Kept):
    """Facts of a System."""

    states: tuple[str, ...] = ()
    """States that its Machines are in, those of the Systems inside with them; each once."""
    machines: tuple[str, ...] = ()
    """Paths of those Machines."""
    size: int = 0
    """Number of components, those of the Systems inside with them: of a System that is only rehearsed."""


@dataclass(frozen=True)
class KeptMember(Kept):
    """Facts of a membership: of the entry of a System for something that is in it."""

    owned: bool = False
    """The System made the member, and takes it along when it goes."""
    made_by: str | None = None
    """Path of the Job by which the System made the member."""


@dataclass(frozen=True)
class KeptTemplate(Kept):
    """Facts of a SystemTemplate."""

    descriptors: tuple[Document, ...] | None = None
    """The component descriptors with what clients cannot read; None where there is nothing of that."""


@dataclass(frozen=True)
class KeptExport(Kept):
    """Facts of the Job of an export."""

    delivered: bool = False
    """The package was put at its destination: the Job has none to be read."""
