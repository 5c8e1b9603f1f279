"""Quotas as clients see them: what a project or a user has, and may have. They stand in no table of resources."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.errors import Invalid, NotFound
from gateway.orchestration.common.contract import Caller, Outcome, Role
from gateway.orchestration.common.matching import page_of
from gateway.orchestration.common.permissions import demand
from gateway.orchestration.common.resource_service import ResourceService
from gateway.quotas import PROJECT, QUOTAS, USER, Quota
from gateway.store.model import Document, Page, Query, Resource
from gateway.store.usage import Allowance, Usage, allow, holders_like, usage_of
from gateway.users import NAME

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
AT_ONCE = 200
"""Holders whose usage is read at once."""


def path_of(holder: str) -> str:
    """Return the path of the Quota of a holder: ``quotas/project-ann``."""
    return f"quotas/{holder.replace('/', '-', 1)}"


def holder_at(path: str) -> str | None:
    """Return the holder whose Quota stands at a path; None for a path that is none of a Quota."""
    scope, dash, name = path.partition("/")[2].partition("-")
    return f"{scope}/{name}" if scope in (PROJECT, USER) and dash and name else None


class QuotaService(ResourceService):
    """The service of Quotas: each user reads those of the own project and of themselves, admins read and set all."""

    kind = "Quota"
    computed = True

    async def read(self, caller: Caller, path: str) -> Resource:
        """Return the Quota at the path. Raises NotFound for one that is not for the caller."""
        demand(caller.role, self.kind, "read")
        holder = holder_at(path)
        of_anybody = holder is not None and caller.role is Role.ADMIN and NAME.fullmatch(holder.partition("/")[2])
        if holder is None or not (of_anybody or holder in await self._visible(caller)):
            raise NotFound(f"there is no Quota {path[:200]}")
        return (await self._quotas([holder]))[0]

    async def list(self, caller: Caller, query: Query) -> Page:
        """Return the page of the Quotas that the caller sees."""
        demand(caller.role, self.kind, "read")
        return page_of(await self._quotas(await self._visible(caller)), query)

    async def edit(
        self, caller: Caller, path: str, document: Document, selected: frozenset[str] | None, version: int | None
    ) -> Outcome:
        """Set what a project or a user may have; limits that the document leaves out get the defaults again."""
        await self.to_change(caller, path, "edit", version)
        holder = holder_at(path) or ""
        settings = _settings(document.get("limits") or [], _quotas_of(holder))
        async with self.store.transaction() as transaction:
            allow(transaction, holder, settings)
            job = await self.room.runner.completed(transaction, self.plan(caller, "edit", path))
        return Outcome((await self._quotas([holder]))[0], job, finished=True)

    async def _visible(self, caller: Caller) -> tuple[str, ...]:
        own: tuple[str, ...] = (f"{PROJECT}/{caller.project}",)
        if not caller.confined:
            own = (*own, f"{USER}/{caller.user}")
        if caller.role is not Role.ADMIN:
            return own
        everybody = [*await holders_like(self.store, PROJECT), *await holders_like(self.store, USER)]
        return tuple(sorted({*own, *everybody}))

    async def _quotas(self, holders: Sequence[str]) -> tuple[Resource, ...]:
        rows: dict[tuple[str, str], Usage] = {}
        for start in range(0, len(holders), AT_ONCE):
            read = await usage_of(self.store, holders[start : start + AT_ONCE])
            rows.update({(row.holder, row.quota): row for row in read})
        return tuple(self._quota(holder, rows) for holder in holders)

    def _quota(self, holder: str, rows: dict[tuple[str, str], Usage]) -> Resource:
        scope, _, name = holder.partition("/")
        limits = []
        for quota in _quotas_of(holder):
            row = rows.get((holder, quota.name), Usage(holder, quota.name, 0, None, own=False))
            limits.append(_limit(quota, row, row.limit(self.room.policy.default_quotas)))
        document: Document = {"name": name, "scope": scope, "limits": limits}
        return Resource(path_of(holder), self.kind, name if scope == PROJECT else None, document, EPOCH, EPOCH)


def _quotas_of(holder: str) -> tuple[Quota, ...]:
    """Return the quotas that a holder has: of what is not counted in the store, a user has none."""
    return tuple(quota for quota in QUOTAS if quota.counted or holder.startswith(f"{PROJECT}/"))


def _limit(quota: Quota, row: Usage, allowed: int | None) -> Document:
    limit = {"name": quota.name, "used": row.used if quota.counted else None, "allowed": allowed, "unit": quota.unit}
    return {key: value for key, value in limit.items() if value not in (None, "")}


def _settings(limits: Sequence[Document], quotas: tuple[Quota, ...]) -> Sequence[Allowance]:
    """Return what an edit sets. Raises Invalid for a quota that there is not, or that is named twice."""
    named: dict[str, Allowance] = {}
    offered = {quota.name for quota in quotas}
    for place, limit in enumerate(limits):
        name, where = limit.get("name"), f"limits.{place}.name"
        if name not in offered:
            raise Invalid(f"{name!r:.60} is no quota here; there are {', '.join(sorted(offered))}", where)
        if name in named:
            raise Invalid(f"{name} stands here twice", where)
        named[name] = Allowance(name, limit.get("allowed"))
    return [named.get(name, Allowance(name, default=True)) for name in sorted(offered)]
