"""The demo's user of the gateway: changes with a progress bar, and where the demo tells of both."""

from __future__ import annotations

from cimi_client import Client, Document, Query, Resource
from cimi_client.client import NOTHING
from cimi_client.jobs import Accepted
from cimi_client.queries import EVERYTHING
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

out = Console(highlight=False)


class User:
    """User of the demo's gateway. What is refused or fails raises CimiError, which ends the demo."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def get(self, url: str, query: Query = EVERYTHING) -> Resource:
        """Return a resource."""
        return await self.client.get(url, query)

    async def items(self, collection: str, query: Query = EVERYTHING) -> list[Resource]:
        """Return the items of a collection."""
        return [item async for item in self.client.items(collection, query)]

    async def make(self, collection: str, document: Document, what: str) -> Resource:
        """Make a resource, and return it when it is there."""
        creation = await self.client.create(collection, document)
        await _follow(creation, what)
        return await creation

    async def act(self, url: str, verb: str, what: str, parameters: Document = NOTHING) -> None:
        """Do an action that a resource offers."""
        await _follow(await self.client.act(await self.get(url), verb, parameters), what)

    async def snapshot(self, machine: str, document: Document, what: str) -> str:
        """Take a snapshot of a Machine, and return its URL."""
        creation = await self.client.create_by(await self.get(machine), "snapshot", "MachineImage", document)
        await _follow(creation, what)
        return (await creation).id

    async def delete(self, url: str, what: str) -> None:
        """Delete a resource."""
        await _follow(await self.client.delete(await self.get(url)), what)

    async def console(self, machine: str) -> str:
        """Return what the guest has written to its serial console."""
        return await self.client.text(self.client.operation(await self.get(machine), "console"))


async def _follow(accepted: Accepted, what: str) -> None:
    """Show the progress of a Job as a bar, until it ends."""
    columns = TextColumn("{task.description:28}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%")
    with Progress(*columns, TimeElapsedColumn(), console=out) as bars:
        bar = bars.add_task(what, total=100)
        async for job in accepted.follow():
            bars.update(bar, completed=job.progress)
    await accepted.ended()
