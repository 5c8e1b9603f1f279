"""From a SystemCreate to a checked new System: nothing is written, everything is looked at (DSP0263 5.13.2)."""

from __future__ import annotations

from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.references import OWN, merged, resolve
from gateway.orchestration.common.resource_service import new_resource
from gateway.orchestration.common.room import Room
from gateway.orchestration.monitoring.templates import requested_monitoring
from gateway.orchestration.systems.blueprint import Component, blueprint
from gateway.orchestration.systems.rehearsal import Rehearsal
from gateway.orchestration.systems.secrets import hashed, whole
from gateway.store.model import Document, Resource

WHERE = "systemTemplate"
DEEPEST = 8
"""Systems in Systems."""


class SystemCreate:
    """The checks and decisions of one create; ``components`` are there after ``make``."""

    def __init__(self, room: Room, caller: Caller, document: Document) -> None:
        self.room = room
        self.caller = caller
        self.document = document
        self.components: tuple[Component, ...] = ()
        self.size = 0
        """Components, those of the Systems inside with them."""

    async def make(self) -> Resource:
        """Return the System in CREATING. Raises what the request deserves, naming the descriptor."""
        template, chain = await self._template()
        drawn = blueprint(template, f"{WHERE}.")
        monitoring = await requested_monitoring(self.room, self.caller, drawn.template, "System", f"{WHERE}.")
        rehearsal = Rehearsal(self.room, self.caller, f"{WHERE}.")
        await rehearsal.run(drawn.components, chain)
        self.components, self.size = drawn.components, rehearsal.size
        own: Document = {name: self.document[name] for name in OWN if name in self.document}
        return monitoring.on(new_resource("System", self.caller.project, {**own, "state": "CREATING"}))

    async def _template(self) -> tuple[Document, tuple[str, ...]]:
        """Return the template, and the templates which it is inside of, itself with them."""
        given, chain = self.document[WHERE], self.caller.rehearsed
        href = given.get("href")
        if href is not None and href in chain:
            raise Invalid(f"{href} is inside itself", WHERE)
        if len(chain) >= DEEPEST:
            raise Invalid(f"Systems are nested deeper than {DEEPEST} levels", WHERE)
        template: Document = {}
        if href is not None:
            template = whole(await resolve(self.room.store, self.caller, href, ("SystemTemplate",), WHERE))
        template = await hashed(merged(template, given))
        return template, (*chain, href or "")
