"""The rules of the store, in their order: what each transaction does besides, before it is committed."""

from __future__ import annotations

from gateway.jobs.records import unnest
from gateway.orchestration.access.changes import keep_an_admin
from gateway.orchestration.common.containment import MEMBER_KINDS, MEMBERSHIPS
from gateway.orchestration.common.references import empty_references
from gateway.orchestration.monitoring.aspects import METERED
from gateway.orchestration.monitoring.meters import keep_meters
from gateway.orchestration.monitoring.recorder import Recorder
from gateway.orchestration.quotas.counting import COUNTED, Quotas
from gateway.orchestration.systems.commit_rule import keep_systems
from gateway.store.rules import Rule


def commit_rules(recorder: Recorder, quotas: Quotas) -> tuple[Rule, ...]:
    """Return the rules in the order in which they look at a transaction: each sees what those before it have written.

    A rule that changes resources stands before the recorder, or what it changes is never told.
    """
    return (
        Rule(
            keep_systems,
            "memberships go with what they are of, while it can still be told which Systems had it",
            kinds=MEMBER_KINDS.union(MEMBERSHIPS),
        ),
        Rule(
            keep_meters,
            "Meters come and go with their resources: they need a new System's state, and a reference",
            kinds=frozenset(METERED),
        ),
        Rule(
            empty_references,
            "references to what is deleted are emptied: also to what the rules before deleted",
            of_removals=True,
        ),
        Rule(keep_an_admin, "nobody could let anybody in where no admin is left", kinds=frozenset({"User"})),
        Rule(unnest, "a Job that is deleted is named by no other", kinds=frozenset({"Job"}), of_removals=True),
        Rule(recorder.record, "events tell of all changes of the transaction, those of the rules before included"),
        Rule(
            quotas.count,
            "all that a project has is counted as it is on disk, with what the rules before have written into it",
            kinds=frozenset(COUNTED),
        ),
    )
