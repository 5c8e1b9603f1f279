"""Networks: create, start, stop, edit, delete (DSP0263 5.17)."""

from __future__ import annotations

from gateway.errors import Conflict, PreconditionFailed
from gateway.jobs.plan import Plan
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.permissions import demand
from gateway.orchestration.common.resource_service import edited
from gateway.orchestration.networks.create import NetworkCreate, check_mtu
from gateway.orchestration.networks.plans import calls, create_steps, groups_of, settle
from gateway.orchestration.networks.spec import class_of_service
from gateway.orchestration.networks.stateful import StatefulService
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

DEFINED = ("name", "mtu", "classOfService")
"""What the hypervisor's definition says too."""
USERS = {"MachineNetworkInterface": "interfaces of Machines", "NetworkPort": "NetworkPorts"}
"""What keeps a Network from being deleted."""


class NetworkService(StatefulService):
    kind = "Network"

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
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
            settle=settle(network.path, "add"),
        )

    async def rehearse(self, caller: Caller, document: Document) -> Resource | None:
        demand(caller.role, self.kind, "add")
        create = NetworkCreate(self.room, caller, document)
        network = await create.make()
        async with self.store.transaction() as transaction:
            network = await create.place(transaction, network)
        return network.with_document(state=network.internal["initial_state"])

    async def edit(
        self, caller: Caller, path: str, document: Document, selected: frozenset[str] | None, version: int | None
    ) -> Outcome:
        network = await self.to_change(caller, path, "edit", version)
        self.must_be_legal(network, "edit")
        changed = self._checked(network, edited(network, document, selected))
        before, after = network.document, changed.document
        names = ("redefine network",) if any(before.get(name) != after.get(name) for name in DEFINED) else ()
        if names:
            self.must_be_up(network)
        later = " and ".join(name for name in DEFINED[1:] if before.get(name) != after.get(name))
        plan = self.plan(caller, "edit", path, steps=calls(path, names, later=later), locks=(path,))
        async with self.store.transaction() as transaction:
            current = await transaction.get(path)
            if current is None or current.version != network.version:
                raise PreconditionFailed(f"{path} was changed meanwhile; read it again")
            updated = await transaction.update(changed)
            runner = self.room.runner
            job = await (runner.submit if names else runner.completed)(transaction, plan)
        return Outcome(updated, job, finished=not names)

    def _checked(self, network: Resource, changed: Resource) -> Resource:
        settings = self.room.hypervisors[network.internal["host"]]
        if changed.document.get("mtu") != network.document.get("mtu"):
            check_mtu(changed.document.get("mtu"), network.internal["forward"], settings, "mtu")
        service = class_of_service(changed.document.get("classOfService"), settings, "classOfService")
        return changed.with_document(classOfService=service)

    async def check_unused(self, transaction: Transaction, network: Resource) -> None:
        for kind, words in USERS.items():
            users = await transaction.find(kind, "network", network.path)
            if users:
                named = ", ".join(user.path for user in users[:3]) + (", ..." if len(users) > 3 else "")
                raise Conflict(f"{len(users)} {words} use this Network; remove them first: {named}")
