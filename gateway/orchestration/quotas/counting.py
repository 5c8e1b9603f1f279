"""The rule of the store that counts what each project and each host has, and refuses what is too much.

It counts in the transaction that promises: of many requests at once none gets what is one too much, and a crash leaves
nothing counted that is not there. What is only seen, as a guest that an admin has started, is counted, and not refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import structlog

from gateway.cimi.registry import TYPES
from gateway.errors import Conflict, Forbidden, GatewayError, NoSpace
from gateway.orchestration.common.capacity import Capacities
from gateway.orchestration.quotas.measures import MEASURES, UNWRITTEN, VERSION, amounts_of, binds, changes_of
from gateway.quotas import BY_NAME, HOST, Defaults
from gateway.store import usage
from gateway.store.store import Store
from gateway.store.transaction import PROMISER, Transaction
from gateway.store.usage import Key, Usage

COUNTED = tuple(
    declared.kind
    for declared in TYPES.values()
    if declared.parent is None and not declared.series and (declared.kind in MEASURES or declared.kind not in UNWRITTEN)
)
"""The kinds whose resources take something."""
log = structlog.get_logger("quotas")


class Quotas:
    """The counting of usage, and its bounds: the ``defaults`` of projects and users, and what the hosts can carry."""

    def __init__(self, defaults: Defaults, capacities: Capacities) -> None:
        self._defaults = defaults
        self._capacities = capacities

    async def prepare(self, store: Store) -> None:
        """Count all there is, unless that was counted by the same measures, in a store of the same form, before."""
        form = await usage.form_of(store, VERSION)
        if await usage.counted_form(store) == form:
            return
        total: Counter[Key] = Counter()
        for kind in COUNTED:
            async for resource in store.every(kind):
                total.update(amounts_of(resource))
        async with store.transaction() as transaction:
            usage.count_anew(transaction, total, form)
        log.info("usage counted", holders=len({holder for holder, _ in total}))

    async def count(self, transaction: Transaction) -> None:
        """Count what the transaction changes. Raises Forbidden, NoSpace or Conflict for what is too much."""
        changes: Counter[Key] = Counter()
        rising: Counter[Key] = Counter()
        for path, after in transaction.changes.items():
            before = transaction.before[path]
            own = changes_of(before, after)
            changes.update(own)
            if after is not None:
                rising.update({key: number for key, number in own.items() if number > 0 and binds(key, before, after)})
        changed = {key: number for key, number in changes.items() if number}
        if changed:
            usage.count(transaction, changed)
        if PROMISER.get() is not None:
            await self._demand(transaction, {key: more for key, more in rising.items() if changed.get(key, 0) > 0})

    async def _demand(self, transaction: Transaction, rising: Mapping[Key, int]) -> None:
        """Raise what refuses the transaction, when a holder has more than it may have of what rises."""
        if not rising:
            return
        for row in await usage.usage_of(transaction, sorted({holder for holder, _ in rising})):
            more = rising.get((row.holder, row.quota))
            limit = self._limit(row) if more is not None else None
            if more is not None and limit is not None and row.used > limit:
                raise _refusal(row, limit, more)

    def _limit(self, row: Usage) -> int | None:
        kind, _, name = row.holder.partition("/")
        if kind == HOST:
            return self._capacities.limit(name, row.quota)
        return row.allowed if row.own else self._defaults[kind].get(row.quota)


def _refusal(row: Usage, limit: int, more: int) -> GatewayError:
    """Return the refusal of so much more: which quota, used and allowed. Others' use of a host is told to nobody.

    507 is for bytes, 403 for everything else.
    """
    kind, _, name = row.holder.partition("/")
    if kind == HOST:
        what = {"host_memory": f"{more} KiB of memory", "host_cpu": f"{more} virtual CPUs"}[row.quota]
        return Conflict(
            f"the host {name} has not enough left for {what} more: what runs there has been promised the rest; stop "
            "another Machine, or try again later"
        )
    quota, used = BY_NAME[row.quota], row.used - more
    unit = f" {quota.unit}" if quota.unit else ""
    words = (
        f"the quota {quota.name} ({quota.meaning}) of this {kind} is full: {used}{unit} of {limit}{unit} are used, "
        f"and {more}{unit} more were asked for; delete something, or ask an admin for more"
    )
    return NoSpace(words) if quota.unit == "bytes" else Forbidden(words)
