"""NetworkPorts: a place on a network for one interface of a Machine (DSP0263 5.18).

A port without an interface is a row in the store: a MAC kept for whoever will use it. What is done to a port that
is used reaches the guest's interface.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.errors import Conflict, PreconditionFailed
from gateway.jobs.plan import Plan
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.names import check_free
from gateway.orchestration.common.permissions import demand
from gateway.orchestration.common.resource_service import component, edited
from gateway.orchestration.networks.spec import class_of_service
from gateway.orchestration.networks.stateful import StatefulService
from gateway.orchestration.ports.create import new_port
from gateway.orchestration.ports.facts import KeptPort
from gateway.orchestration.ports.steps import ApplyPort, SettlePort, machines_of
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

USABLE = frozenset({"STARTED", "STOPPED"})
STATES = {"start": "STARTED", "stop": "STOPPED"}


class NetworkPortService(StatefulService):
    """NetworkPorts of all Networks."""

    kind = "NetworkPort"

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check everything about a create, and return what writes it."""
        port = await new_port(self.room, caller, document)

        async def write(transaction: Transaction) -> Outcome:
            network = await transaction.get(port.document["network"]["href"])
            if network is None or network.state not in USABLE:
                raise Conflict(f"the Network is {network.state if network else 'gone'}, and takes no ports now")
            where = "networkPortTemplate.macAddress"
            await check_free(transaction, port.document["macAddress"], port=None, where=where)
            await transaction.insert(port)
            await transaction.insert(member(network, port))
            return await self.made(transaction, port, self.plan(caller, "add", collection, affected=(port.path,)))

        return write

    async def rehearse(self, caller: Caller, document: Document) -> Resource | None:
        """Return what ``add`` would make of a Create document."""
        demand(caller.role, self.kind, "add")
        return await new_port(self.room, caller, document)

    def action_plan(self, caller: Caller, port: Resource, action: str) -> Plan:
        """Return the plan of a start or stop."""
        return self._plan(caller, port, action, ApplyPort(port.path, state=STATES[action]))

    def _plan(self, caller: Caller, port: Resource, action: str, step: ApplyPort) -> Plan:
        """Return the plan of a change of the interface that uses the port, under the lock of its Machine."""
        return self.plan(
            caller,
            action,
            port.path,
            steps=(step,),
            locks=(port.path, *machines_of(port)),
            settle=SettlePort(port.path, action),
        )

    async def edit(
        self, caller: Caller, path: str, document: Document, selected: frozenset[str] | None, version: int | None
    ) -> Outcome:
        """Change the port; a new class of service of one that is used is brought to the guest by a Job."""
        port = await self.to_change(caller, path, "edit", version)
        self.must_be_legal(port, "edit")
        changed = edited(port, document, selected)
        settings = self.room.hypervisors[KeptPort.of(port).host]
        service = class_of_service(changed.document.get("classOfService"), settings, "classOfService")
        before = port.document.get("classOfService")
        speed = service != before and "resource" in port.document
        if speed:
            self.must_be_up(port)
        plan = self._plan(caller, port, "edit", ApplyPort(path, service=service))
        async with self.store.transaction() as transaction:
            current = await transaction.get(path)
            if current is None or current.version != port.version:
                raise PreconditionFailed(f"{path} was changed meanwhile; read it again")
            # What has to reach a guest is written when it has.
            changed = changed.with_document(classOfService=before if speed else service)
            if speed:
                job = await self.room.runner.submit(transaction, plan)
            else:
                job = await self.room.runner.completed(transaction, self.plan(caller, "edit", path))
            updated = await transaction.update(changed)
        return Outcome(updated, job, finished=not speed)

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Remove a port that nobody uses."""
        port = await self.to_change(caller, path, "delete", version)
        self.must_be_legal(port, "delete")
        async with self.store.transaction() as transaction:
            current = await self.current(transaction, path, version)
            if current.held_by is not None:
                raise Conflict("another request came first")
            await self.check_unused(transaction, current)
            await transaction.delete(member_path(current))
            await transaction.delete(path)
            plan = self.plan(caller, "delete", path, drop_on_success=(path,))
            job = await self.room.runner.completed(transaction, plan)
        return Outcome(None, job, finished=True)

    async def check_unused(self, transaction: Transaction, port: Resource) -> None:
        """Raise Conflict when an interface uses the port."""
        if "resource" in port.document:
            raise Conflict(f"{port.document['resource']['href']} uses this NetworkPort; remove that interface first")


def member_path(port: Resource) -> str:
    """Return where the port stands among its network's ports."""
    return f"{port.document['network']['href']}/networkPorts/{port.path.rpartition('/')[2]}"


def member(network: Resource, port: Resource) -> Resource:
    """Return the network's entry for a port: on a network that many share, it is still its owner's alone to see."""
    segment = f"networkPorts/{port.path.rpartition('/')[2]}"
    entry = component(network, "NetworkNetworkPort", segment, {"networkPort": {"href": port.path}})
    return replace(entry, project=port.project, created=port.created, updated=port.updated)
