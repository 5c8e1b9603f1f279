"""The steps that form a ForwardingGroup of Networks and dissolve it. Each may be run again after a crash."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.jobs.plan import Ended
from gateway.orchestration.common.step import At, ResourceStep
from gateway.orchestration.networks.facts import KeptForwardingGroup
from gateway.orchestration.networks.group_steps import bring_filters, take_out
from gateway.orchestration.networks.membership import members


@dataclass(frozen=True)
class FormGroup(ResourceStep):
    """The step that lets the guests of a new group's first members reach one another."""

    name = "form group"
    networks: tuple[str, ...]
    """Paths of the members."""

    async def run(self, at: At) -> None:
        """Bring the filters of the members to what they now reach."""
        await bring_filters(at, await members(at.room.store, at.resource.path))

    async def undo(self, at: At) -> None:
        """Take the members out of the group."""
        for network in self.networks:
            await take_out(at, network, at.resource.path)


@dataclass(frozen=True)
class DissolveGroup(ResourceStep):
    """The step that takes all members out of a group that is deleted."""

    name = "dissolve group"
    leaves = ""
    networks: tuple[str, ...]
    """Paths of the members."""

    async def run(self, at: At) -> None:
        """Take the members out of the group."""
        for network in self.networks:
            await take_out(at, network, at.resource.path)


@dataclass(frozen=True)
class SettleGroup(ResourceStep):
    """The step that removes a group's record after an undone create and a done delete."""

    name = "settle group"
    action: str

    async def settle(self, at: At, ended: Ended) -> None:
        """Remove the record of a group that is gone, or let Networks join it again."""
        async with at.room.store.transaction() as transaction:
            current = await transaction.get(at.resource.path)
            if current is None:
                return
            if self.action == ("delete" if ended.succeeded else "add") and not ended.left:
                await transaction.delete(current.path)
            elif KeptForwardingGroup.of(current).leaving:
                await transaction.update(KeptForwardingGroup.changed(current, leaving=False))


FORWARDING_STEPS: tuple[type[ResourceStep], ...] = (FormGroup, DissolveGroup, SettleGroup)
