"""The part that the devices of a Machine have in common as resources: they are changed by changing the Machine."""

from __future__ import annotations

from drivers.base import Driver
from gateway.errors import Conflict, Forbidden, NotFound
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.hosts import demand_up, translating
from gateway.orchestration.common.permissions import changeable, demand, granted
from gateway.orchestration.common.resource_service import ResourceService
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.machine_core.states import legal
from gateway.store.model import Resource
from gateway.store.transaction import Transaction


class ComponentService(ResourceService):
    """The service of a nested collection of a Machine whose members are plugged in and out."""

    edited_by: str | None = None
    """The change that the Machine's state has to allow for an edit; None when every state will do."""

    def collection_operations(self, caller: Caller, parent: Resource | None) -> tuple[str, ...]:
        """Return ``add`` when the caller and the Machine's state allow it, else nothing."""
        if parent is None or not changeable(caller, parent) or "plug" not in legal(parent.state).actions:
            return ()
        return super().collection_operations(caller, parent)

    def looked_at(self, resource: Resource) -> tuple[str, ...]:
        """Return the path of the Machine, whose state says what may be done to its parts."""
        return (str(resource.parent),)

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return the operations legal now, ``delete`` first, where old clients look for it."""
        if not changeable(caller, resource) or resource.held_by is not None:
            return ()
        machine = self.store.peek(str(resource.parent))
        now = frozenset({"plug", "unplug"}) if machine is None else legal(machine.state).actions
        goes = self.removable(resource) and "unplug" in now
        offered = [("delete", goes), ("edit", self.type.editable and self.edited_by in now | {None})]
        return tuple(verb for verb, given in offered if given and granted(caller.role, self.kind, verb))

    def removable(self, resource: Resource) -> bool:
        """Return whether a request may take the component out of its Machine."""
        return True

    async def machine_for(self, caller: Caller, path: str) -> Resource:
        """Return the Machine whose devices this caller may change. Raises NotFound or Forbidden."""
        demand(caller.role, self.kind, "add")
        machine = await self.store.get(path)
        if machine is None or machine.kind != "Machine":
            raise NotFound(f"there is no Machine {path[:200]}")
        if not changeable(caller, machine):
            raise Forbidden("this Machine belongs to somebody else; only its owner or an admin may change its devices")
        return machine

    def up(self, machine: Resource) -> Driver:
        """Return the driver of the Machine's host. Raises Unavailable unless the host is UP."""
        driver = self.room.driver(machine)
        demand_up(driver)
        return driver

    async def targets_in_use(self, machine: Resource) -> set[str]:
        """Return the device names of all disks of the domain.

        Disks which an admin has plugged in beside the gateway are among them. Raises Unavailable unless the host is UP.
        """
        with translating():
            return {disk.target for disk in (await self.up(machine).domains.read(machine_uuid(machine))).disks}

    async def demand_machine(self, transaction: Transaction, path: str, change: str) -> Resource:
        """Return the Machine as this transaction sees it, in a state that allows the change.

        ``change`` is ``plug`` or ``unplug``. Raises NotFound and Conflict.
        """
        machine = await transaction.get(path)
        if machine is None:
            raise NotFound(f"{path} is gone")
        demand_change(machine, change)
        return machine


def demand_change(machine: Resource, change: str) -> None:
    """Raise Conflict when the Machine's state does not allow the change, ``plug`` or ``unplug``."""
    if change in legal(machine.state).actions:
        return
    hint = "; start or stop it first" if machine.state == "SUSPENDED" else ""
    raise Conflict(f"devices of a Machine that is {machine.state} cannot be changed{hint}")
