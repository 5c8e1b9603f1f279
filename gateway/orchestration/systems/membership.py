"""A component of a System and its membership: made in one transaction, and once, however often it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.orchestration.common.containment import ATTRIBUTES, member_of, new_membership
from gateway.orchestration.common.contract import Outcome
from gateway.orchestration.systems.blueprint import Component
from gateway.store.model import Resource
from gateway.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Making:
    """What the family's create calls inside its transaction (``Caller.once``)."""

    system: Resource
    component: Component

    @property
    def _membership(self) -> Resource:
        own = {name: self.component.document[name] for name in ("name",) if name in self.component.document}
        return new_membership(self.system, self.component.kind, "", own, self.component.key)

    async def recall(self, transaction: Transaction) -> Outcome | None:
        known = await transaction.get(self._membership.path)
        if known is None:
            return None
        return Outcome(await transaction.get(member_of(known)), known.internal["made_by"], finished=False)

    async def remember(self, transaction: Transaction, path: str, job: str) -> None:
        marked = self._membership.with_document(**{ATTRIBUTES[self.component.kind]: {"href": path}})
        await transaction.insert(marked.with_internal(owned=True, made_by=job))
        for volume in await self._volumes(transaction, path, job):
            own = {name: volume.document[name] for name in ("name",) if name in volume.document}
            made = new_membership(self.system, "Volume", volume.path, own, volume.path)
            await transaction.insert(made.with_internal(owned=True, made_by=job))

    async def _volumes(self, transaction: Transaction, path: str, job: str) -> list[Resource]:
        """Those which a Machine makes by its volume templates are the System's, too."""
        if self.component.kind != "Machine":
            return []
        made = await transaction.get(job)
        affected = [entry["href"] for entry in made.document["affectedResources"]] if made is not None else []
        found = [await transaction.get(other) for other in affected if other != path]
        return [volume for volume in found if volume is not None and volume.kind == "Volume"]
