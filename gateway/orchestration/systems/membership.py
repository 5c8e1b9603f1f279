"""A component of a System and its membership: made in one transaction, and once, however often it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.orchestration.common.containment import ATTRIBUTES, member_of, new_membership
from gateway.orchestration.common.contract import Outcome
from gateway.orchestration.systems.blueprint import Component
from gateway.orchestration.systems.facts import KeptMember
from gateway.store.model import Resource
from gateway.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Making:
    """The create of a component as its family knows it (``Caller.once``): it makes the membership, too."""

    system: Resource
    component: Component

    @property
    def _membership(self) -> Resource:
        own = {name: self.component.document[name] for name in ("name",) if name in self.component.document}
        return new_membership(self.system, self.component.kind, "", own, self.component.key)

    async def recall(self, transaction: Transaction) -> Outcome | None:
        """Return the component that was made before, with its Job; None when none was."""
        membership = await transaction.get(self._membership.path)
        if membership is None:
            return None
        made_by = KeptMember.of(membership).made_by or ""
        return Outcome(await transaction.get(member_of(membership)), made_by, finished=False)

    async def remember(self, transaction: Transaction, path: str, job: str) -> None:
        """Write the memberships of the component, and of the Volumes that a Machine makes with it."""
        facts = KeptMember(owned=True, made_by=job)
        membership = self._membership.with_document(**{ATTRIBUTES[self.component.kind]: {"href": path}})
        await transaction.insert(facts.on(membership))
        for volume in await self._volumes(transaction, path, job):
            own = {name: volume.document[name] for name in ("name",) if name in volume.document}
            made = new_membership(self.system, "Volume", volume.path, own, volume.path)
            await transaction.insert(facts.on(made))

    async def _volumes(self, transaction: Transaction, path: str, job: str) -> list[Resource]:
        """Return the Volumes that a Machine makes by its volume templates: they are the System's, too."""
        if self.component.kind != "Machine":
            return []
        made = await transaction.get(job)
        affected = [entry["href"] for entry in made.document["affectedResources"]] if made is not None else []
        others = [await transaction.get(other) for other in affected if other != path]
        return [volume for volume in others if volume is not None and volume.kind == "Volume"]
