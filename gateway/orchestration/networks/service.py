"""Networks: create, start, stop, edit, delete (DSP0263 5.17)."""

from __future__ import annotations

from gateway.errors import Conflict, Forbidden, PreconditionFailed
from gateway.jobs.plan import Plan
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.hosts import demand_deletable
from gateway.orchestration.common.permissions import demand
from gateway.orchestration.common.resource_service import edited
from gateway.orchestration.networks.create import NetworkCreate, check_mtu
from gateway.orchestration.networks.facts import KeptNetwork
from gateway.orchestration.networks.membership import groups_of
from gateway.orchestration.networks.plans import action_steps, create_steps, delete_steps
from gateway.orchestration.networks.shared_addresses import is_shared
from gateway.orchestration.networks.spec import class_of_service
from gateway.orchestration.networks.stateful import StatefulService
from gateway.orchestration.networks.steps import RedefineNetwork, SettleNetwork
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

DEFINED = ("name", "mtu", "classOfService")
"""Attributes that the hypervisor's definition has, too."""
USERS = {"MachineNetworkInterface": "interfaces of Machines", "NetworkPort": "NetworkPorts"}
"""What keeps a Network from being deleted."""


class NetworkService(StatefulService):
    """Networks; those of the host's own can be used, and not be changed."""

    kind = "Network"

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return what the caller may do to the Network in its state."""
        return () if is_shared(resource) else super().operations(caller, resource)

    async def to_change(self, caller: Caller, path: str, verb: str, version: int | None = None) -> Resource:
        """Return the Network, when this caller may do this to it."""
        network = await super().to_change(caller, path, verb, version)
        if is_shared(network):
            raise Forbidden(f"this {self.kind} is the host's own: it can be used, and only its admin may {verb} it")
        return network

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check everything about a create, and return what writes it."""
        create = NetworkCreate(self.room, caller, document)
        prepared = await create.make()

        async def write(transaction: Transaction) -> Outcome:
            network = await transaction.insert(await create.place(transaction, prepared))
            network = await create.join(transaction, network)
            return await self.begun(transaction, network, self._creation(caller, collection, network))

        return write

    def _creation(self, caller: Caller, collection: str, network: Resource) -> Plan:
        return self.plan(
            caller,
            "add",
            collection,
            steps=create_steps(network),
            locks=(network.path, *groups_of(network)),
            affected=(network.path,),
            drop_on_failure=(network.path,),
            settle=SettleNetwork(network.path, "add"),
        )

    async def rehearse(self, caller: Caller, document: Document) -> Resource | None:
        """Return what ``add`` would make, in the state that it would come to."""
        demand(caller.role, self.kind, "add")
        create = NetworkCreate(self.room, caller, document)
        network = await create.make()
        async with self.store.transaction() as transaction:
            network = await create.place(transaction, network)
        return network.with_document(state=KeptNetwork.of(network).initial_state)

    async def edit(
        self, caller: Caller, path: str, document: Document, selected: frozenset[str] | None, version: int | None
    ) -> Outcome:
        """Change the Network, in the store at once and on its host by a Job."""
        network = await self.to_change(caller, path, "edit", version)
        self.must_be_legal(network, "edit")
        changed = self._checked(network, edited(network, document, selected))
        differing = [name for name in DEFINED if network.document.get(name) != changed.document.get(name)]
        if differing:
            self.must_be_up(network)
        later = " and ".join(name for name in differing if name != "name")
        steps = (RedefineNetwork(path, later),) if differing else ()
        plan = self.plan(caller, "edit", path, steps=steps, locks=(path,))
        async with self.store.transaction() as transaction:
            current = await transaction.get(path)
            if current is None or current.version != network.version:
                raise PreconditionFailed(f"{path} was changed meanwhile; read it again")
            updated = await transaction.update(changed)
            runner = self.room.runner
            job = await (runner.submit if steps else runner.completed)(transaction, plan)
        return Outcome(updated, job, finished=not steps)

    def _checked(self, network: Resource, changed: Resource) -> Resource:
        kept = KeptNetwork.of(network)
        settings = self.room.hypervisors[kept.host]
        if changed.document.get("mtu") != network.document.get("mtu"):
            check_mtu(changed.document.get("mtu"), kept.forward, settings, "mtu")
        service = class_of_service(changed.document.get("classOfService"), settings, "classOfService")
        return changed.with_document(classOfService=service)

    def action_plan(self, caller: Caller, network: Resource, action: str) -> Plan:
        """Return the plan of a start or stop."""
        path = network.path
        steps = action_steps(path, action)
        return self.plan(caller, action, path, steps=steps, locks=(path,), settle=SettleNetwork(path, action))

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Begin the delete of the Network."""
        network = await self.to_change(caller, path, "delete", version)
        self.must_be_legal(network, "delete")
        demand_deletable(self.room.driver(network))
        plan = self.plan(
            caller,
            "delete",
            path,
            steps=delete_steps(path),
            locks=(path, *groups_of(network)),
            drop_on_success=(path,),
            settle=SettleNetwork(path, "delete"),
        )
        return await self.begin(network, "delete", plan, version)

    async def check_unused(self, transaction: Transaction, network: Resource) -> None:
        """Raise Conflict when interfaces or ports are on the Network."""
        for kind, words in USERS.items():
            users = await transaction.find(kind, "network", network.path)
            if users:
                named = ", ".join(user.path for user in users[:3]) + (", ..." if len(users) > 3 else "")
                raise Conflict(f"{len(users)} {words} use this Network; remove them first: {named}")
