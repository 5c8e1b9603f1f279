"""Addresses and their templates, and the Addresses of Machines' interfaces (DSP0263 5.19, 5.14.1.7)."""

from __future__ import annotations

from gateway.errors import Conflict, Forbidden, Invalid, NotFound, PreconditionFailed
from gateway.jobs.plan import Plan
from gateway.orchestration.addresses.renaming import change_hostname
from gateway.orchestration.addresses.steps import (
    AssignAddress,
    InterfaceAddressStep,
    ReleaseAddress,
    RenameAddress,
    ReserveAddress,
    SettleAddress,
    WithdrawAddress,
)
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.hosts import demand_deletable, demand_up
from gateway.orchestration.common.names import checked_hostname
from gateway.orchestration.common.permissions import changeable, demand, visible
from gateway.orchestration.common.references import OWN, resolve
from gateway.orchestration.common.resource_service import ResourceService, edited, new_resource
from gateway.orchestration.common.room import Room
from gateway.orchestration.interfaces.facts import KeptInterfaceAddress
from gateway.orchestration.networks.address_create import AddressWish, address_wish, reserved_address
from gateway.orchestration.networks.address_ranges import parse_ip
from gateway.orchestration.networks.assignment import (
    LINK,
    coordinates,
    is_reserved,
    link,
    machine_of,
    usable_address,
)
from gateway.orchestration.networks.facts import KeptAddress
from gateway.orchestration.networks.shared_addresses import demand_off, is_shared
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

MOVING = frozenset({"CREATING", "DELETING"})


def must_be_up(room: Room, resource: Resource) -> None:
    """Raise Unavailable when the host of a Network or a reserved Address is away."""
    demand_up(room.driver(resource))


class AddressService(ResourceService):
    """Addresses, those that clients reserve and those that guests report."""

    kind = "Address"

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return what the caller may do to the Address; what guests report follows the guests."""
        if not is_reserved(resource) or KeptAddress.of(resource).leaving:
            return ()
        return super().operations(caller, resource)

    async def to_change(self, caller: Caller, path: str, verb: str, version: int | None = None) -> Resource:
        """Return the Address, when this caller may do this to it."""
        address = await super().to_change(caller, path, verb, version)
        if not is_reserved(address):
            raise Conflict(f"a guest uses this Address by itself; it goes when the guest lets go of it, not by {verb}")
        if KeptAddress.of(address).leaving:
            raise Conflict("the Address is being deleted")
        return address

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check everything about a create, and return what writes it."""
        wish = await self._wish(caller, document)
        own: Document = {name: document[name] for name in OWN if name in document}

        async def write(transaction: Transaction) -> Outcome:
            address = await reserved_address(transaction, wish, caller.project, own)
            entered = wish.hostname is not None or is_shared(wish.network)
            plan = self._creation(caller, collection, address, entered=entered)
            if plan.steps:
                return await self.begun(transaction, address, plan, held=False)
            return await self.made(transaction, address, plan)

        return write

    def _creation(self, caller: Caller, collection: str, address: Resource, *, entered: bool) -> Plan:
        """Return the plan of a create; ``entered``: DHCP or DNS have an entry of the Address before anybody uses it."""
        return self.plan(
            caller,
            "add",
            collection,
            steps=(ReserveAddress(*coordinates(address)),) if entered else (),
            locks=(address.path,),
            affected=(address.path,),
            drop_on_failure=(address.path,),
            settle=SettleAddress(*coordinates(address), "add"),
        )

    async def _wish(self, caller: Caller, document: Document) -> AddressWish:
        """Return what the request asks for. Raises what it deserves."""
        wish = await address_wish(self.room, caller, document["addressTemplate"], "addressTemplate")
        if wish.hostname is not None:
            must_be_up(self.room, wish.network)
        return wish

    async def rehearse(self, caller: Caller, document: Document) -> Resource | None:
        """Check the request, and return None: there is no Address to refer to before the transaction that writes it."""
        demand(caller.role, self.kind, "add")
        await self._wish(caller, document)
        return None

    async def edit(
        self, caller: Caller, path: str, document: Document, selected: frozenset[str] | None, version: int | None
    ) -> Outcome:
        """Change the Address; another name is brought to DNS by a Job."""
        address = await self.to_change(caller, path, "edit", version)
        if document.get("hostname"):
            document = {**document, "hostname": checked_hostname(document["hostname"], "hostname")}
        changed = edited(address, document, selected)
        before, after = address.document.get("hostname"), changed.document.get("hostname")
        if before != after:
            if KeptAddress.of(address).shared:
                raise Invalid("names in the host's own Network are for its admin to give; leave it out", "hostname")
            must_be_up(self.room, address)
        steps = (RenameAddress(*coordinates(address), before=before),) if before != after else ()
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
        """Begin the delete of the Address, also out of the list of the interface that uses it."""
        address = await self.to_change(caller, path, "delete", version)
        demand_deletable(self.room.driver(address))
        async with self.store.transaction() as transaction:
            current = await self.current(transaction, path, version)
            if KeptAddress.of(current).leaving:
                raise NotFound(f"{path} is gone")
            for machine in _users(current):
                await demand_off(transaction, current, machine)
            plan = self.plan(
                caller,
                "delete",
                path,
                steps=(ReleaseAddress(*coordinates(address)),),
                locks=(path, *_users(current)),
                drop_on_success=(path,),
                settle=SettleAddress(*coordinates(address), "delete"),
            )
            job = await self.room.runner.submit(transaction, plan)
            address = await transaction.update(KeptAddress.changed(current, leaving=True))
        return Outcome(address, job, finished=False)


def _users(address: Resource) -> tuple[str, ...]:
    """Return the path of the Machine whose interface uses the Address: one, or none."""
    user = address.document.get("resource")
    return (machine_of(user["href"]),) if user else ()


class AddressTemplateService(ResourceService):
    """Templates of Addresses."""

    kind = "AddressTemplate"
    catalogue = True

    async def make(self, caller: Caller, document: Document) -> Resource:
        """Return the checked new template."""
        return new_resource(self.kind, caller.project, await self._checked(caller, document))

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the checked template after the edit."""
        return await super().change(caller, resource, await self._checked(caller, document), selected)

    async def _checked(self, caller: Caller, document: Document) -> Document:
        """Return the document in its final spelling. Raises Invalid for what is wrong whatever the Network."""
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

    kind = LINK

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return what the caller may do to the entry; those that the guest reports are not ours to take away."""
        return () if KeptInterfaceAddress.of(resource).reported else super().operations(caller, resource)

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check everything about giving an Address to the interface, and return what writes it."""
        interface = await self._interface(caller, collection)
        href = document.get("address", {}).get("href")
        if href is None:
            raise Invalid("is missing", "address")
        network = interface.document["network"]["href"]
        address = await usable_address(self.room, caller, href, "address", network)
        must_be_up(self.room, address)

        async def write(transaction: Transaction) -> Outcome:
            await self._settled(await transaction.get(str(interface.parent)))
            current = await transaction.get(interface.path)
            free = await transaction.get(address.path)
            if current is None or free is None:
                raise Conflict("the interface or the Address is gone")
            await demand_off(transaction, free, str(interface.parent))
            entry = await link(transaction, current, free, "address")
            plan = self._add_plan(caller, collection, entry, AssignAddress(*coordinates(free), interface.path))
            return await self.begun(transaction, entry, plan, held=False)

        return write

    def _add_plan(self, caller: Caller, collection: str, entry: Resource, step: InterfaceAddressStep) -> Plan:
        return self.plan(
            caller,
            "add",
            collection,
            steps=(step,),
            locks=(step.address, machine_of(step.interface)),
            affected=(entry.path, step.address),
            drop_on_failure=(entry.path,),
        )

    def _delete_plan(self, caller: Caller, entry: Resource, step: InterfaceAddressStep) -> Plan:
        return self.plan(
            caller,
            "delete",
            entry.path,
            steps=(step,),
            locks=(step.address, machine_of(step.interface)),
            affected=(entry.path, step.address),
            drop_on_success=(entry.path,),
        )

    async def _interface(self, caller: Caller, collection: str) -> Resource:
        """Return the interface of a collection of Addresses, when this caller may add to it."""
        path = collection.rpartition("/")[0]
        interface = await self.store.get(path)
        if interface is None or not visible(caller, interface):
            raise NotFound(f"there is no MachineNetworkInterface {path[:200]}")
        if not changeable(caller, interface):
            raise Forbidden("this Machine belongs to somebody else; only its owner or an admin may add to it")
        return interface

    async def _settled(self, machine: Resource | None) -> None:
        """Raise Conflict for a Machine that is being made or deleted."""
        if machine is None or machine.state in MOVING:
            raise Conflict(f"the Machine is {'gone' if machine is None else machine.state}")

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Begin to take the Address from the interface."""
        entry = await self.to_change(caller, path, "delete", version)
        address = await self.store.get(entry.document["address"]["href"])
        if address is None or not is_reserved(address):
            raise Conflict("the guest uses this address by itself; it goes from here when the guest lets go of it")
        must_be_up(self.room, address)
        async with self.store.transaction() as transaction:
            await self.current(transaction, path, version)
            interface = str(entry.parent)
            await demand_off(transaction, address, machine_of(interface))
            step = WithdrawAddress(*coordinates(address), interface)
            job = await self.room.runner.submit(transaction, self._delete_plan(caller, entry, step))
        return Outcome(entry, job, finished=False)
