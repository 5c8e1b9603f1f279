"""ForwardingGroups, their Networks, and their templates (DSP0263 5.22)."""

from __future__ import annotations

from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.jobs.plan import Plan
from gateway.orchestration.common.checked_service import CheckedService
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.hosts import demand_deletable, demand_up
from gateway.orchestration.common.permissions import changeable, demand, visible
from gateway.orchestration.common.references import OWN, merged, resolve
from gateway.orchestration.common.resource_service import ResourceService, new_resource
from gateway.orchestration.common.room import Room
from gateway.orchestration.forwarding.steps import DissolveGroup, FormGroup, SettleGroup
from gateway.orchestration.networks import membership
from gateway.orchestration.networks.facts import KeptForwardingGroup, KeptNetwork
from gateway.orchestration.networks.group_steps import JoinGroup, LeaveGroup
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

UNSETTLED = frozenset({"CREATING", "DELETING"})


async def usable_network(room: Room, caller: Caller, href: str, where: str) -> Resource:
    """Return the Network, when this caller may route it. Raises what the request deserves."""
    network = await resolve(room.store, caller, href, ("Network",), where)
    membership.check_routed(network, where)
    if not changeable(caller, network):
        raise Invalid("the Network belongs to somebody else", where)
    return network


async def unchanged(transaction: Transaction, network: Resource, where: str) -> Resource:
    """Return the Network as the transaction sees it. Raises Conflict when it is being made or removed."""
    current = await transaction.get(network.path)
    if current is None or current.state in UNSETTLED:
        raise Conflict(f"{where}: the Network is {'gone' if current is None else current.state}")
    return current


def must_be_up(room: Room, host: str) -> None:
    """Raise Unavailable when the host is away."""
    demand_up(room.drivers[host])


class ForwardingGroupService(ResourceService):
    """ForwardingGroups of Networks on one host."""

    kind = "ForwardingGroup"

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check everything about a create, and return what writes it."""
        networks = await self._networks(caller, document)
        group = self._new(caller, document, networks)

        async def write(transaction: Transaction) -> Outcome:
            await transaction.insert(group)
            for place, network in enumerate(networks):
                where = f"forwardingGroupTemplate.networks.{place}"
                await membership.join(transaction, group, await unchanged(transaction, network, where), where)
            plan = self._creation(caller, collection, group, networks)
            if networks:
                return await self.begun(transaction, group, plan, held=False)
            return await self.made(transaction, group, plan)

        return write

    def _creation(self, caller: Caller, collection: str, group: Resource, networks: list[Resource]) -> Plan:
        paths = [network.path for network in networks]
        return self.plan(
            caller,
            "add",
            collection,
            steps=(FormGroup(group.path, tuple(paths)),) if paths else (),
            locks=(group.path, *paths),
            affected=(group.path, *paths),
            drop_on_failure=(group.path,),
            settle=SettleGroup(group.path, "add"),
        )

    def _new(self, caller: Caller, document: Document, networks: list[Resource]) -> Resource:
        """Return the group, on the host of its first Network."""
        own: Document = {name: document[name] for name in OWN if name in document}
        host = KeptNetwork.of(networks[0]).host if networks else next(iter(self.room.hypervisors))
        must_be_up(self.room, host)
        return KeptForwardingGroup(host=host).on(new_resource(self.kind, caller.project, own))

    async def rehearse(self, caller: Caller, document: Document) -> Resource | None:
        """Return what ``add`` would make of a Create document."""
        demand(caller.role, self.kind, "add")
        return self._new(caller, document, await self._networks(caller, document))

    async def _networks(self, caller: Caller, document: Document) -> list[Resource]:
        """Return the Networks that the request names."""
        given, where = document["forwardingGroupTemplate"], "forwardingGroupTemplate"
        template: Document = {}
        if "href" in given:
            template = (await resolve(self.store, caller, given["href"], ("ForwardingGroupTemplate",), where)).document
        listed = merged(template, given).get("networks", [])
        return [
            await usable_network(self.room, caller, entry["href"], f"{where}.networks.{place}")
            for place, entry in enumerate(listed)
        ]

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Begin the delete of the group; its Networks stay."""
        group = await self.to_change(caller, path, "delete", version)
        demand_deletable(self.room.driver(group))
        async with self.store.transaction() as transaction:
            current = await self.current(transaction, path, version)
            if KeptForwardingGroup.of(current).leaving:
                raise Conflict("the ForwardingGroup is being deleted already")
            paths = tuple(network.path for network in await membership.members(transaction, path))
            plan = self.plan(
                caller,
                "delete",
                path,
                steps=(DissolveGroup(path, paths),),
                locks=(path, *paths),
                affected=paths,
                drop_on_success=(path,),
                settle=SettleGroup(path, "delete"),
            )
            job = await self.room.runner.submit(transaction, plan)
            group = await transaction.update(KeptForwardingGroup.changed(current, leaving=True))
        return Outcome(group, job, finished=False)


class ForwardingGroupNetworkService(ResourceService):
    """The Networks of a group: adding one joins it, deleting one takes it out."""

    kind = membership.ENTRY

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check everything about a Network's join, and return what writes it."""
        group = await self._group(caller, collection)
        href = document.get("network", {}).get("href")
        if href is None:
            raise Invalid("is missing", "network")
        network = await usable_network(self.room, caller, href, "network")
        must_be_up(self.room, KeptForwardingGroup.of(group).host)

        async def write(transaction: Transaction) -> Outcome:
            current = await transaction.get(group.path)
            if current is None:
                raise NotFound(f"{group.path} is gone")
            joining = await unchanged(transaction, network, "network")
            entry, _ = await membership.join(transaction, current, joining, "network")
            own: Document = {name: document[name] for name in OWN if name in document}
            entry = await transaction.update(entry.with_document(**own)) if own else entry
            job = await self.room.runner.submit(transaction, self._join_plan(caller, collection, entry))
            return Outcome(entry, job, finished=False)

        return write

    def _join_plan(self, caller: Caller, collection: str, entry: Resource) -> Plan:
        group, network = str(entry.parent), entry.document["network"]["href"]
        return self.plan(
            caller,
            "add",
            collection,
            steps=(JoinGroup(network, group),),
            locks=(group, network),
            affected=(entry.path, group, network),
            drop_on_failure=(entry.path,),
        )

    def _leave_plan(self, caller: Caller, entry: Resource) -> Plan:
        group, network = str(entry.parent), entry.document["network"]["href"]
        return self.plan(
            caller,
            "delete",
            entry.path,
            steps=(LeaveGroup(network, group),),
            locks=(group, network),
            affected=(entry.path, group, network),
            drop_on_success=(entry.path,),
        )

    async def _group(self, caller: Caller, collection: str) -> Resource:
        """Return the group of a collection of Networks, when this caller may add to it."""
        path = collection.rpartition("/")[0]
        group = await self.store.get(path)
        if group is None or not visible(caller, group):
            raise NotFound(f"there is no ForwardingGroup {path[:200]}")
        if not changeable(caller, group):
            raise Forbidden("this ForwardingGroup belongs to somebody else; only its owner or an admin may add to it")
        return group

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Begin to take the Network out of the group."""
        entry = await self.to_change(caller, path, "delete", version)
        group = await self.store.get(str(entry.parent))
        if group is None:
            raise NotFound(f"{path} is gone")
        must_be_up(self.room, KeptForwardingGroup.of(group).host)
        async with self.store.transaction() as transaction:
            await self.current(transaction, path, version)
            job = await self.room.runner.submit(transaction, self._leave_plan(caller, entry))
        return Outcome(entry, job, finished=False)


class ForwardingGroupTemplateService(CheckedService):
    """Templates of ForwardingGroups."""

    kind = "ForwardingGroupTemplate"

    async def check(self, caller: Caller, document: Document) -> None:
        """Raise Invalid for a Network that this caller cannot see."""
        for place, entry in enumerate(document.get("networks", [])):
            await resolve(self.store, caller, entry["href"], ("Network",), f"networks.{place}")
