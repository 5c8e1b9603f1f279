"""The rules that each commit obeys: what is written in its transaction besides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.store.transaction import Transaction

BeforeCommit = Callable[[Transaction], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A deed at the end of each transaction that changed resources, inside it, and why it stands in its place."""

    apply: BeforeCommit
    reason: str
    kinds: frozenset[str] = frozenset()
    """Kinds of the resources whose changes the rule is about; empty for all kinds."""
    of_removals: bool = False
    """The rule is about resources that were deleted, and about no other change."""
