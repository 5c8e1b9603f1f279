"""Every component of a System is looked at as its own family looks at it, before anything is made.

What others refer to by name does not exist yet. So each component that has passed stands in for itself: the store
that the families look into knows it, and no other does.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

from gateway.cimi.registry import type_of
from gateway.errors import GatewayError, Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.room import Room
from gateway.orchestration.systems.blueprint import MOST_COMPONENTS, Component
from gateway.orchestration.systems.facts import KeptSystem
from gateway.orchestration.systems.symbols import placed, without
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.store.model import Page, Query, Resource
from gateway.store.reading import Records
from gateway.store.series import Series
from gateway.store.transaction import Transaction

EXCLUSIVE = frozenset({"Volume", "NetworkPort", "Address"})
"""What one Machine uses at a time; a Volume in a pool that is configured as shareable is an exception."""


class StoreWithPlans:
    """A gateway.store.reading.Records: the store as it would be if the planned resources were there.

    A planned resource can be read by its path only.
    """

    def __init__(self, store: Records) -> None:
        self._under = store
        self.planned: dict[str, Resource] = {}

    def peek(self, path: str) -> Resource | None:
        """Return what is planned, or at hand without asking the disk."""
        return self.planned.get(path) or self._under.peek(path)

    async def get(self, path: str) -> Resource | None:
        """Return what is planned, or there, at a path."""
        return self.planned.get(path) or await self._under.get(path)

    async def get_many(self, paths: Iterable[str]) -> dict[str, Resource]:
        """Return those of the resources that are planned or there, by path."""
        resources = {path: await self.get(path) for path in paths}
        return {path: resource for path, resource in resources.items() if resource is not None}

    async def children(self, parent: str, kind: str | None = None) -> tuple[Resource, ...]:
        """Return the direct components of a resource that are there."""
        return await self._under.children(parent, kind)

    async def find(self, kind: str, attribute: str, value: str) -> tuple[Resource, ...]:
        """Return the resources that are there whose attribute is this, or refers to this path."""
        return await self._under.find(kind, attribute, value)

    async def page(self, query: Query) -> Page:
        """Return a page of what is there."""
        return await self._under.page(query)

    def every(self, kind: str) -> AsyncIterator[Resource]:
        """Yield all resources of a root collection that are there."""
        return self._under.every(kind)

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a read of what is there."""
        return await self._under.fetch(sql, parameters)

    async def series(self, series: Series, query: Query) -> Page:
        """Return a page of what is only ever appended."""
        return await self._under.series(series, query)

    async def entry(self, series: Series, owner: str, position: int) -> Resource | None:
        """Return an entry of what is only ever appended."""
        return await self._under.entry(series, owner, position)

    async def samples(self, query: Query) -> Page:
        """Return a page of a meter's samples."""
        return await self._under.samples(query)

    async def sample(self, meter: str, time: int) -> Resource | None:
        """Return a sample of a meter."""
        return await self._under.sample(meter, time)

    def watch(self, watcher: Callable[[dict[str, Resource | None]], None], *kinds: str) -> None:
        """Call ``watcher`` after each commit with what changed."""
        self._under.watch(watcher, *kinds)

    def transaction(self, *, durable: bool = True) -> AbstractAsyncContextManager[Transaction]:
        """Begin a transaction of the store as it is: it does not see what is planned."""
        return self._under.transaction(durable=durable)


class Rehearsal:
    """A look at all components of one System. ``where`` is the way to the template in the request, ending in a dot."""

    def __init__(self, room: Room, caller: Caller, where: str) -> None:
        self.store = StoreWithPlans(room.store)
        self.caller = caller
        self.where = where
        self._room = replace(room, store=self.store)
        self._stand_ins: dict[str, str] = {}
        """Key of a component to the path of what stands in for it."""
        self.size = 0
        """Components that would be made, those of the Systems inside with them."""

    async def run(self, components: tuple[Component, ...], chain: tuple[str, ...]) -> None:
        """Look at all components. Raises what the first wrong one deserves, naming its descriptor."""
        waiting = list(components)
        while waiting:
            done = {component.key for component in components} - {component.key for component in waiting}
            ready = [component for component in waiting if component.needs <= done]
            # Of what one descriptor describes, one is looked at for all.
            firsts = {component.place: component for component in reversed(ready)}
            made = await asyncio.gather(*(self._one(component, chain) for component in firsts.values()))
            by_place = dict(zip(firsts, made, strict=True))
            for component in ready:
                self._stand_in(component, by_place[component.place])
                self._count(component, by_place[component.place])
            waiting = [component for component in waiting if component not in ready]
        self._demand_unshared(components)

    def _demand_unshared(self, components: tuple[Component, ...]) -> None:
        """Raise Invalid for what two Machines take, each for itself."""
        by_key = {component.key: component for component in components}
        users: dict[str, str] = {}
        for component in components:
            for way, key in component.links if component.kind == "Machine" else ():
                used = by_key[key]
                if used.kind not in EXCLUSIVE or self._is_shareable(used):
                    continue
                if key in users:
                    where = ".".join(str(step) for step in way)
                    words = f"{used.name!r} is used by {users[key]} already, and only one Machine at a time may use it"
                    raise Invalid(words, f"{self.where}{component.place_in_template}.{where}")
                users[key] = repr(component.name) if component.name else component.label

    def _is_shareable(self, component: Component) -> bool:
        """Return whether several Machines may have the component at once, which only a Volume allows."""
        volume = self.store.planned.get(self._stand_ins.get(component.key, ""))
        return component.kind == "Volume" and volume is not None and KeptVolume.of(volume).shareable

    def _stand_in(self, component: Component, made: Resource | None) -> None:
        if made is None:
            return
        stand_in = replace(made, path=f"{type_of(component.kind).segment}/{uuid.uuid4()}")
        self.store.planned[stand_in.path] = stand_in
        self._stand_ins[component.key] = stand_in.path

    def _count(self, component: Component, made: Resource | None) -> None:
        self.size += 1 + (KeptSystem.of(made).size if made is not None and component.kind == "System" else 0)
        if self.size > MOST_COMPONENTS:
            words = f"with it there are more than {MOST_COMPONENTS} components, those of the Systems inside with them"
            raise Invalid(words, f"{self.where}{component.place_in_template}")

    async def _one(self, component: Component, chain: tuple[str, ...]) -> Resource | None:
        there = {way: self._stand_ins[key] for way, key in component.links if key in self._stand_ins}
        gone = [way for way, key in component.links if key not in self._stand_ins]
        document = without(placed(component.document, there), gone)
        service = self._room.families[component.kind](self._room)
        try:
            return await service.rehearse(replace(self.caller, rehearsed=chain), document)
        except Invalid as error:
            attribute = f"{self.where}{component.place_in_template}"
            named = f" (of {component.name!r})" if component.name else ""
            inner = error.attribute
            words = error.message.removeprefix(f"{inner}: ") if inner else error.message
            raise Invalid(words + named, f"{attribute}.{inner}" if inner else attribute) from None
        except GatewayError as error:
            raise named_error(error, f"{self.where}{component.label}") from None


def named_error(error: GatewayError, label: str) -> GatewayError:
    """Return the same error, saying of which component it is."""
    error.message = f"{label}: {error.message}"
    error.args = (error.message,)
    return error
