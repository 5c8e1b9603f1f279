"""The steps by which a Network joins a ForwardingGroup and leaves it. Each may be run again after a crash."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.orchestration.common.step import At, ResourceStep
from gateway.orchestration.networks.membership import groups_of, leave, members
from gateway.orchestration.networks.reach import bring_filter
from gateway.store.model import Resource


async def bring_filters(at: At, networks: Iterable[Resource]) -> None:
    """Bring the filters of Networks to what they now reach; guests that run follow at once."""
    for network in networks:
        await bring_filter(at.room, at.driver, network.path)


async def take_out(at: At, network: str, group: str) -> None:
    """Take a Network out of a group, in the store first: so the filters are right whenever they are made."""
    store = at.room.store
    async with store.transaction() as transaction:
        await leave(transaction, network, group)
    outsider = await store.get(network)
    outsiders = [outsider] if outsider is not None else []
    await bring_filters(at, [*outsiders, *await members(store, group)])


@dataclass(frozen=True)
class JoinGroup(ResourceStep):
    """The step that lets the guests of a group's members reach a Network that the store has in the group already."""

    name = "join group"
    group: str
    """Path of the ForwardingGroup."""

    async def run(self, at: At) -> None:
        """Bring the filters of all members to what they now reach."""
        await bring_filters(at, [at.resource, *await members(at.room.store, self.group)])

    async def undo(self, at: At) -> None:
        """Take the Network out of the group."""
        await take_out(at, at.resource.path, self.group)


@dataclass(frozen=True)
class LeaveGroup(ResourceStep):
    """The step that takes a Network out of a ForwardingGroup."""

    name = "leave group"
    leaves = ""
    group: str | None = None
    """Path of the ForwardingGroup; None for the one that the Network is in, if any."""

    async def run(self, at: At) -> None:
        """Take the Network out of the group, or of all that it is in."""
        groups = (self.group,) if self.group is not None else groups_of(at.resource)
        for group in groups:
            await take_out(at, at.resource.path, group)


GROUP_STEPS: tuple[type[ResourceStep], ...] = (JoinGroup, LeaveGroup)
