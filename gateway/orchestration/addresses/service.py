"""Addresses and their templates, and the Addresses of Machines' interfaces (DSP0263 5.19, 5.14.1.7)."""

from __future__ import annotations

from gateway.errors import Conflict, Forbidden, Invalid, NotFound, PreconditionFailed
from gateway.jobs.plan import Plan, StepCall
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.permissions import demand
from gateway.orchestration.common.resolving import OWN, resolve
from gateway.orchestration.common.resource_service import ResourceService, Room, edited, new_resource
from gateway.orchestration.common.unconfigured import demand_deletable, demand_up
from gateway.orchestration.common.visibility import changeable, visible
from gateway.orchestration.networks import assignment
from gateway.orchestration.networks.address_create import AddressWish, address_wish, change_hostname, reserved_address
from gateway.orchestration.networks.address_ranges import parse_ip
from gateway.orchestration.networks.hostnames import checked_hostname
from gateway.orchestration.networks.shared_addresses import demand_off, is_shared
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

MOVING = frozenset({"CREATING", "DELETING"})


def must_be_up(room: Room, resource: Resource) -> None:
    driver = room.driver(resource)
    demand_up(driver)


class AddressService(ResourceService):
    kind = "Address"

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """What guests report follows the guests."""
        if not assignment.is_reserved(resource) or resource.internal.get("going"):
            return ()
        return super().operations(caller, resource)

    async def to_change(self, caller: Caller, path: str, verb: str, version: int | None = None) -> Resource:
        address = await super().to_change(caller, path, verb, version)
        if not assignment.is_reserved(address):
            raise Conflict(f"a guest uses this Address by itself; it goes when the guest lets go of it, not by {verb}")
        if address.internal.get("going"):
            raise Conflict("the Address is being deleted")
        return address

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        wish = await self._wish(caller, document)
        own: Document = {name: document[name] for name in OWN if name in document}

        async def write(transaction: Transaction) -> Outcome:
            address = await reserved_address(transaction, wish, caller.user, own)
            told = wish.hostname is not None or is_shared(wish.network)
            plan = self._creation(caller, collection, address, told=told)
            if plan.steps:
                return await self.begun(transaction, address, plan, held=False)
            return await self.made(transaction, address, plan)

        return write

    def _creation(self, caller: Caller, collection: str, address: Resource, *, told: bool) -> Plan:
        return self.plan(
            caller,
            "add",
            collection,
            steps=_steps("reserve address", address) if told else (),
            locks=(address.path,),
            affected=(address.path,),
            drop_on_failure=(address.path,),
            settle=_settle(address, "add"),
        )

    async def _wish(self, caller: Caller, document: Document) -> AddressWish:
        wish = await address_wish(self.room, caller, document["addressTemplate"], "addressTemplate")
        if wish.hostname is not None:
            must_be_up(self.room, wish.network)
        return wish

    async def rehearse(self, caller: Caller, document: Document) -> Resource | None:
        """An Address is given in the transaction that writes it: before, there is none to refer to."""
        demand(caller.role, self.kind, "add")
        await self._wish(caller, document)
        return None

    async def edit(
        self, caller: Caller, path: str, document: Document, selected: frozenset[str] | None, version: int | None
    ) -> Outcome:
        address = await self.to_change(caller, path, "edit", version)
        if document.get("hostname"):
            document = {**document, "hostname": checked_hostname(document["hostname"], "hostname")}
        changed = edited(address, document, selected)
        before, after = address.document.get("hostname"), changed.document.get("hostname")
        if before != after:
            if address.internal.get("shared"):
                raise Invalid("names in the host's own Network are for its admin to give; leave it out", "hostname")
            must_be_up(self.room, address)
        steps = _steps("rename address", address, before=before) if before != after else ()
        plan = self.plan(caller, "edit", path, steps=steps, locks=(path,))
        async with self.store.transaction() as transaction:
            current = await transaction.get(path)
            if current is None or current.version != address.version:
                raise PreconditionFailed(f"{path} was changed meanwhile; read it again")
            if before != after:
                await change_hostname(transaction, current, after)
            updated = await transaction.update(changed)
            runner = self.room.runner
            job = await (runner.submit if steps else runner.completed)(transaction, plan)
        return Outcome(updated, job, finished=not steps)

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Also out of the list of the interface that uses it."""
        address = await self.to_change(caller, path, "delete", version)
        demand_deletable(self.room.driver(address))
        async with self.store.transaction() as transaction:
            current = await transaction.get(path)
            if current is None or current.internal.get("going"):
                raise NotFound(f"{path} is gone")
            for machine in _users(current):
                await demand_off(transaction, current, machine)
            plan = self.plan(
                caller,
                "delete",
                path,
                steps=_steps("release address", address),
                locks=(path, *_users(current)),
                drop_on_success=(path,),
                settle=_settle(address, "delete"),
            )
            job = await self.room.runner.submit(transaction, plan)
            address = await transaction.update(current.with_internal(going=True))
        return Outcome(address, job, finished=False)


def _users(address: Resource) -> tuple[str, ...]:
    """The Machine whose interface uses the Address: one, or none."""
    user = address.document.get("resource")
    return (assignment.machine_of(user["href"]),) if user else ()


def _steps(name: str, address: Resource, **more: str | None) -> tuple[StepCall, ...]:
    return (StepCall(name, assignment.arguments_of(address, **more)),)


def _settle(address: Resource, action: str) -> StepCall:
    return StepCall("settle address", assignment.arguments_of(address, action=action))


class AddressTemplateService(ResourceService):
    kind = "AddressTemplate"
    catalogue = True

    async def make(self, caller: Caller, document: Document) -> Resource:
        return new_resource(self.kind, caller.user, await self._checked(caller, document))

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        return await super().change(caller, resource, await self._checked(caller, document), selected)

    async def _checked(self, caller: Caller, document: Document) -> Document:
        """What can be wrong whatever Network it is used with."""
        if "network" in document:
            await resolve(self.store, caller, document["network"]["href"], ("Network",), "network")
        checked = dict(document)
        if "ip" in document:
            ip = parse_ip(document["ip"], "ip")
            checked["ip"] = str(ip)
            if document.get("protocol", f"IPv{ip.version}") != f"IPv{ip.version}":
                raise Invalid(f"{ip} is no {document['protocol']} address, as protocol says", "ip")
        if "hostname" in document:
            checked["hostname"] = checked_hostname(document["hostname"], "hostname")
        return checked


class InterfaceAddressService(ResourceService):
    """The Addresses of a Machine's interface: adding one gives it to the interface, deleting one takes it away."""

    kind = assignment.LINK

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Those which the guest reports are not ours to take away."""
        return () if resource.internal.get("reported") else super().operations(caller, resource)

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        interface = await self._interface(caller, collection)
        href = document.get("address", {}).get("href")
        if href is None:
            raise Invalid("is missing", "address")
        network = interface.document["network"]["href"]
        address = await assignment.usable_address(self.room, caller, href, "address", network)
        must_be_up(self.room, address)

        async def write(transaction: Transaction) -> Outcome:
            await self._settled(await transaction.get(str(interface.parent)))
            current = await transaction.get(interface.path)
            known = await transaction.get(address.path)
            if current is None or known is None:
                raise Conflict("the interface or the Address is gone")
            await demand_off(transaction, known, str(interface.parent))
            entry = await assignment.link(transaction, current, known, "address")
            steps = _steps("assign address", known, interface=interface.path)
            plan = self._plan(caller, "add", collection, entry, steps)
            return await self.begun(transaction, entry, plan, held=False)

        return write

    def _plan(self, caller: Caller, action: str, target: str, entry: Resource, steps: tuple[StepCall, ...]) -> Plan:
        address, machine = entry.document["address"]["href"], assignment.machine_of(str(entry.parent))
        gone = {"drop_on_failure" if action == "add" else "drop_on_success": (entry.path,)}
        return self.plan(
            caller, action, target, steps=steps, locks=(address, machine), affected=(entry.path, address), **gone
        )

    async def _interface(self, caller: Caller, collection: str) -> Resource:
        path = collection.rpartition("/")[0]
        interface = await self.store.get(path)
        if interface is None or not visible(caller, interface):
            raise NotFound(f"there is no MachineNetworkInterface {path[:200]}")
        if not changeable(caller, interface):
            raise Forbidden("this Machine belongs to somebody else; only its owner or an admin may add to it")
        return interface

    async def _settled(self, machine: Resource | None) -> None:
        if machine is None or machine.state in MOVING:
            raise Conflict(f"the Machine is {'gone' if machine is None else machine.state}")

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        entry = await self.to_change(caller, path, "delete", version)
        address = await self.store.get(entry.document["address"]["href"])
        if address is None or not assignment.is_reserved(address):
            raise Conflict("the guest uses this address by itself; it goes from here when the guest lets go of it")
        must_be_up(self.room, address)
        async with self.store.transaction() as transaction:
            if await transaction.get(path) is None:
                raise NotFound(f"{path} is gone")
            await demand_off(transaction, address, assignment.machine_of(str(entry.parent)))
            steps = _steps("withdraw address", address, interface=str(entry.parent))
            job = await self.room.runner.submit(transaction, self._plan(caller, "delete", path, entry, steps))
        return Outcome(entry, job, finished=False)
