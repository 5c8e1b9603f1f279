"""Every component of a System is looked at as its own family looks at it, before anything is made.

What others refer to by name does not exist yet. So each component that has passed stands in for itself: the store
that the families look into knows it, and no other does.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from gateway.cimi.registry import type_of
from gateway.errors import GatewayError, Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.resource_service import ResourceService, Room
from gateway.orchestration.systems.blueprint import MOST_COMPONENTS, Component
from gateway.orchestration.systems.symbols import placed, without
from gateway.store.model import Page, Query, Resource
from gateway.store.store import Store
from gateway.store.transaction import Transaction

EXCLUSIVE = frozenset({"Volume", "NetworkPort", "Address"})
"""What one Machine uses at a time; a Volume in a pool that is configured as shareable is an exception."""


class StoreWithPlans(Store):
    """The store as it would be if what is planned were there. Only what is planned is to be read from it by path."""

    def __init__(self, store: Store) -> None:
        self._under = store
        self.planned: dict[str, Resource] = {}

    def peek(self, path: str) -> Resource | None:
        return self.planned.get(path) or self._under.peek(path)

    async def get(self, path: str) -> Resource | None:
        return self.planned.get(path) or await self._under.get(path)

    async def get_many(self, paths: Iterable[str]) -> dict[str, Resource]:
        found = {path: await self.get(path) for path in paths}
        return {path: resource for path, resource in found.items() if resource is not None}

    async def children(self, parent: str, kind: str | None = None) -> tuple[Resource, ...]:
        return await self._under.children(parent, kind)

    async def find(self, kind: str, attribute: str, value: str) -> tuple[Resource, ...]:
        return await self._under.find(kind, attribute, value)

    async def page(self, query: Query) -> Page:
        return await self._under.page(query)

    def every(self, kind: str) -> AsyncIterator[Resource]:
        return self._under.every(kind)

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        return await self._under.fetch(sql, parameters)

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[Transaction]:
        async with self._under.transaction(durable=durable) as transaction:
            yield transaction


class Rehearsal:
    """``where`` is the way to the template in the request, ending in a dot."""

    def __init__(self, room: Room, caller: Caller, where: str) -> None:
        self.store = StoreWithPlans(room.store)
        self.caller = caller
        self.where = where
        self._real = room
        self._room = replace(room, store=self.store)
        self._stand_ins: dict[str, str] = {}
        """Key of a component to the path of what stands in for it."""
        self.size = 0
        """Components that would be made, those of the Systems inside with them."""

    async def run(self, components: tuple[Component, ...], chain: tuple[str, ...]) -> None:
        """Raises what the first wrong component deserves, naming its descriptor."""
        waiting = list(components)
        while waiting:
            done = {component.key for component in components} - {component.key for component in waiting}
            ready = [component for component in waiting if component.needs <= done]
            # Of what one descriptor describes, one is looked at for all.
            firsts = {component.place: component for component in reversed(ready)}
            made = await asyncio.gather(*(self._one(component, chain) for component in firsts.values()))
            found = dict(zip(firsts, made, strict=True))
            for component in ready:
                self._stand_in(component, found[component.place])
                self._count(component, found[component.place])
            waiting = [component for component in waiting if component not in ready]
        self._demand_unshared(components)

    def _demand_unshared(self, components: tuple[Component, ...]) -> None:
        """What one Machine takes for itself is not there for a second one."""
        known = {component.key: component for component in components}
        users: dict[str, str] = {}
        for component in components:
            for way, key in component.links if component.kind == "Machine" else ():
                used = known[key]
                stand_in = self.store.planned.get(self._stand_ins.get(key, ""))
                shared = stand_in is not None and stand_in.internal.get("shareable")
                if used.kind not in EXCLUSIVE or shared:
                    continue
                if key in users:
                    where = ".".join(str(step) for step in way)
                    words = f"{used.name!r} is used by {users[key]} already, and only one Machine at a time may use it"
                    raise Invalid(words, f"{self.where}{component.place_in_template}.{where}")
                users[key] = repr(component.name) if component.name else component.label

    def _stand_in(self, component: Component, made: Resource | None) -> None:
        if made is None:
            return
        stand_in = replace(made, path=f"{type_of(component.kind).segment}/{uuid.uuid4()}")
        self.store.planned[stand_in.path] = stand_in
        self._stand_ins[component.key] = stand_in.path

    def _count(self, component: Component, made: Resource | None) -> None:
        self.size += 1 + (made.internal["size"] if made is not None and component.kind == "System" else 0)
        if self.size > MOST_COMPONENTS:
            words = f"with it there are more than {MOST_COMPONENTS} components, those of the Systems inside with them"
            raise Invalid(words, f"{self.where}{component.place_in_template}")

    async def _one(self, component: Component, chain: tuple[str, ...]) -> Resource | None:
        service = self._real.services[component.kind]
        assert isinstance(service, ResourceService)
        known = {way: self._stand_ins[key] for way, key in component.links if key in self._stand_ins}
        unknown = [way for way, key in component.links if key not in self._stand_ins]
        document = without(placed(component.document, known), unknown)
        try:
            return await type(service)(self._room).rehearse(replace(self.caller, rehearsed=chain), document)
        except Invalid as error:
            attribute = f"{self.where}{component.place_in_template}"
            named = f" (of {component.name!r})" if component.name else ""
            inner = error.attribute
            words = error.message.removeprefix(f"{inner}: ") if inner else error.message
            raise Invalid(words + named, f"{attribute}.{inner}" if inner else attribute) from None
        except GatewayError as error:
            raise named_error(error, f"{self.where}{component.label}") from None


def named_error(error: GatewayError, label: str) -> GatewayError:
    """The same error, saying of which component it is."""
    error.message = f"{label}: {error.message}"
    error.args = (error.message,)
    return error
