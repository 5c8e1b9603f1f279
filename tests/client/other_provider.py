"""A CIMI provider that offers less than the gateway, and spells differently what the standard leaves open.

Its hrefs are relative and have queries, its JSON names arrays in its own way, writes numbers as text, and says no type
of items. It has no Jobs, no ETags, no pages, no filters and no ResourceMetadata; its errors are plain text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.gateway_process import free_port

NAMESPACE = "http://schemas.dmtf.org/cimi/1"
LEAVES = {"CREATING": "STOPPED", "STARTING": "STARTED", "STOPPING": "STOPPED"}
BEGINS = {"start": "STARTING", "stop": "STOPPING"}


@dataclass
class OtherProvider:
    """One that serves at ``url``. A Machine leaves a transient state when it is read the second time in it."""

    port: int = field(default_factory=free_port)
    machines: dict[str, dict[str, Any]] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    broken: bool = False
    """Every Machine that is started ends in ERROR."""
    runner: web.AppRunner | None = None
    socket: str | None = None
    """The path of a Unix socket to serve at as well."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/service/cep?tenant=a"

    async def start(self) -> None:
        application = web.Application()
        application.router.add_get("/service/cep", self.entry)
        application.router.add_get("/cimi/", self.entry)
        application.router.add_route("*", "/service/list", self.listing)
        application.router.add_route("*", "/service/item", self.item)
        self.runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()
        if self.socket is not None:
            await web.UnixSite(self.runner, self.socket).start()

    async def stop(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()

    async def entry(self, request: web.Request) -> web.Response:
        self.requests.append(f"{request.method} {request.path_qs}")
        base = f"{request.scheme}://{request.host}/service/"
        collections = {name: {"href": f"list?type={name}"} for name in ("machines", "machineImages")}
        return web.json_response({"resourceURI": f"{NAMESPACE}/CloudEntryPoint", "baseURI": base, **collections})

    async def listing(self, request: web.Request) -> web.Response:
        self.requests.append(f"{request.method} {request.path_qs}")
        kind = request.query["type"]
        if request.method == "POST":
            return await self.add(request)
        shown = [self.shown(key) for key in self.machines] if kind == "machines" else []
        operations = [{"rel": "add", "href": f"list?type={kind}"}] if kind == "machines" else []
        uri = f"{NAMESPACE}/{'Machine' if kind == 'machines' else 'MachineImage'}Collection"
        document = {"resourceURI": uri, "id": f"list?type={kind}", "count": str(len(shown)), "operations": operations}
        return web.json_response({**document, **({"Machine": shown} if shown else {})})

    async def add(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        key = str(len(self.machines) + 1)
        self.machines[key] = {"name": body.get("name", ""), "cpu": "2", "state": "CREATING"}
        return web.Response(status=202, headers={"Location": f"item?id={key}"})

    async def item(self, request: web.Request) -> web.Response:
        self.requests.append(f"{request.method} {request.path_qs}")
        key = request.query.get("id", "")
        if key not in self.machines:
            return web.Response(status=404, text=f"no machine {key}")
        if request.method == "DELETE":
            del self.machines[key]
            return web.Response(status=204)
        if request.method == "PUT":
            self.machines[key].update(await request.json())
            return web.Response(status=200)
        if request.method == "POST":
            body = await request.json()
            self.bodies.append(body)
            self.machines[key]["state"] = BEGINS[body["action"].rpartition("/")[2]]
            self.looks[key] = 0
            return web.Response(status=202)
        self.advance(key)
        return web.json_response({"resourceURI": f"{NAMESPACE}/Machine", **self.shown(key)})

    def advance(self, key: str) -> None:
        self.looks[key] = self.looks.get(key, 0) + 1
        state = self.machines[key]["state"]
        if self.looks[key] > 1 and state in LEAVES:
            self.machines[key]["state"] = "ERROR" if self.broken and state == "STARTING" else LEAVES[state]

    def shown(self, key: str) -> dict[str, Any]:
        verb = "stop" if self.machines[key]["state"] == "STARTED" else "start"
        rels = ("edit", "delete", f"{NAMESPACE}/Action/{verb}")
        operations = [{"rel": rel, "href": f"item?id={key}"} for rel in rels]
        return {"id": f"item?id={key}", **self.machines[key], "operations": operations}
