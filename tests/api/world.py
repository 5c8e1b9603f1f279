"""One resource of every declared type, made over HTTP for one user, and made again when it is gone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.cimi.registry import TYPES
from gateway.cimi.resource_type import ResourceType
from gateway.cimi.system import MEMBER_SCHEMAS
from tests.api.client import ApiClient
from tests.api.packages import small_package

Document = dict[str, Any]
ALWAYS = {
    "CloudEntryPoint": "cloudEntryPoint",
    "ResourceMetadata": "resourceMetadata/Machine",
    "Quota": "quotas/project-operator",
}
CATALOGUE = ("MachineConfiguration", "VolumeConfiguration", "NetworkConfiguration", "NetworkPortConfiguration")
"""What an admin makes for everybody."""
MADE_BY_ADMINS = (*CATALOGUE, "User", "Project")
"""What only an admin may make."""
CPU = {"meterConfig": {"aspect": "cpu", "sampleInterval": 10}}


@dataclass
class World:
    """``await world.ensure("Disk")`` is the path of a Disk; ``document`` is what its collection takes for another."""

    owner: ApiClient
    admin: ApiClient
    gateway: Gateway
    driver: MemoryDriver
    images: Path
    paths: dict[str, str] = field(default_factory=lambda: dict(ALWAYS))
    job: str = ""
    """Of the last change."""
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    """Of names that stand once."""

    # Paths

    def forget(self) -> None:
        """What was made so far is used no more."""
        self.paths = dict(ALWAYS)

    async def ensure(self, kind: str) -> str:
        known = self.paths.get(kind)
        if known is not None and await self._is_there(kind, known):
            return known
        make = getattr(self, f"_make_{kind}", None)
        self.paths[kind] = await make() if make is not None else await self.make(kind)
        return self.paths[kind]

    async def _is_there(self, kind: str, path: str) -> bool:
        """And of use: what is broken, or in the middle of something, is made anew."""
        answer = await self.owner.get(path)
        state = answer.json.get("state")
        return answer.status == 200 and (kind not in USABLE or state in USABLE[kind])

    async def collection(self, declared: ResourceType) -> str:
        if declared.parent is None:
            return declared.segment
        return f"{await self.ensure(declared.parent)}/{declared.segment}"

    async def make(self, kind: str, **more: Any) -> str:
        """A new one; its path."""
        maker = self.admin if kind in MADE_BY_ADMINS else self.owner
        document = {**await self.document(kind), **more}
        answer = await maker.post(await self.collection(TYPES[kind]), document, Prefer="wait=30")
        assert answer.status == 201, f"{kind}: {answer.text}"
        self.job = answer.job
        return self._path(answer.location)

    def _path(self, url: str) -> str:
        return url.removeprefix(self.owner.base)

    async def waiting(self, kind: str) -> str:
        """An image of this kind that waits for its bytes."""
        known = self.paths.get(f"waiting {kind}")
        if known is None or (await self.owner.get(f"{known}/upload")).status != 200:
            answer = await self.owner.post(TYPES[kind].segment, {"size": 64})
            assert answer.status == 201, answer.text
            self.paths[f"waiting {kind}"] = self._path(answer.location)
        return self.paths[f"waiting {kind}"]

    async def exported(self) -> str:
        """A Job whose package can be read."""
        known = self.paths.get("exported Job")
        if known is None or not await self._is_there("Job", known):
            answer = await self.owner.act(await self.ensure("System"), "export")
            assert answer.status == 202, answer.text
            ended = await self.owner.ended(answer.job)
            assert ended["state"] == "SUCCESS", ended
            self.paths["exported Job"] = self._path(answer.job)
        return self.paths["exported Job"]

    async def running_job(self) -> str:
        """A Job that waits for a guest which does not listen."""
        machine = await self.make("Machine")
        self.driver.state.deaf = True
        answer = await self.owner.act(machine, "stop", properties={"timeout": "60"})
        assert answer.status == 202, answer.text
        return self._path(answer.job)

    async def everything(self) -> dict[str, str]:
        for kind in TYPES:
            await self.ensure(kind)
        for kind in ("MachineImage", "VolumeImage"):
            await self.waiting(kind)
        await self.exported()
        return self.paths

    @staticmethod
    def key(kind: str, action: str | None) -> str:
        """Under which ``paths`` has the resource that this action can be asked of."""
        return {"upload": f"waiting {kind}", "package": f"exported {kind}"}.get(action or "", kind)

    # What is made by the way

    async def _first(self, collection: str, key: str) -> str:
        return self._path((await self.owner.document(collection))[key][0]["id"])

    async def _make_User(self) -> str:  # noqa: N802
        """The owner."""
        return await self._first("users", "users")

    async def _make_Project(self) -> str:  # noqa: N802
        """The owner's own."""
        return await self._first("projects", "projects")

    async def _make_Job(self) -> str:  # noqa: N802 - the type's name
        await self.make("Credential")
        return self._path(self.job)

    async def _make_CatalogImage(self) -> str:  # noqa: N802
        return await self._first("imageCatalog", "catalogImages")

    async def _make_JobLine(self) -> str:  # noqa: N802
        return await self._first(f"{await self.ensure('Job')}/log", "jobLines")

    async def _make_MachineSnapshot(self) -> str:  # noqa: N802
        machine = await self.make("Machine")
        answer = await self.owner.post(f"{machine}/snapshot", {}, Prefer="wait=30")
        assert answer.status == 201, answer.text
        return await self._first(f"{machine}/snapshots", "machineSnapshots")

    async def _make_NetworkNetworkPort(self) -> str:  # noqa: N802
        await self.ensure("NetworkPort")
        network = (await self.owner.document(self.paths["NetworkPort"]))["network"]["href"]
        return await self._first(f"{network}/networkPorts", "networkNetworkPorts")

    async def _make_Event(self) -> str:  # noqa: N802
        return await self._first(f"{await self.ensure('EventLog')}/events", "events")

    async def _make_Sample(self) -> str:  # noqa: N802
        meter = await self.ensure("Meter")
        for _ in range(3):
            self.driver.state.seconds_ahead += 20
            await self.gateway.sampler.look(self.driver)
        return await self._first(f"{meter}/samples", "samples")

    async def _make_EventLog(self) -> str:  # noqa: N802
        """Where events are: the log that a Machine got with its creation."""
        machine = await self.owner.document(await self.ensure("Machine"))
        return self._path(machine["eventLog"]["href"])

    # Documents

    async def document(self, kind: str) -> Document:
        found = DOCUMENTS[kind](self)
        return {"name": f"a {kind}", **(found if isinstance(found, dict) else await found)}

    async def href(self, kind: str, *, new: bool = False) -> Document:
        path = await self.make(kind) if new else await self.ensure(kind)
        return {"href": self.owner.base + path}

    def package(self) -> str:
        """Where a package lies that may be imported."""
        path = self.images / "world.ova"
        if not path.exists():
            path.write_bytes(small_package())
        return f"file://{path}"

    def file(self) -> Document:
        return {"imageLocation": f"file://{self.images / 'guest.qcow2'}"}


USABLE = {
    "Machine": ("STARTED", "STOPPED"),
    "MachineImage": ("AVAILABLE",),
    "VolumeImage": ("AVAILABLE",),
    "Volume": ("AVAILABLE",),
    "Network": ("STARTED",),
    "NetworkPort": ("STARTED", "STOPPED"),
    "System": ("STARTED", "STOPPED"),
}


async def _machine_template(world: World) -> Document:
    return {"machineConfig": {"cpu": 1, "memory": 131072}, "machineImage": await world.href("MachineImage")}


async def _machine(world: World) -> Document:
    return {"machineTemplate": await _machine_template(world)}


async def _in_network(world: World) -> Document:
    return {"network": await world.href("Network")}


def _templated(attribute: str, inner: Callable[[World], Awaitable[Document]]) -> Callable[[World], Awaitable[Document]]:
    async def document(world: World) -> Document:
        return {attribute: await inner(world)}

    return document


async def _attachment(world: World) -> Document:
    return {"volume": await world.href("Volume", new=True)}


async def _interface_address(world: World) -> Document:
    return {"address": await world.href("Address", new=True)}


async def _group_network(world: World) -> Document:
    return {"network": await world.href("Network", new=True)}


async def _networks(world: World) -> Document:
    return {"networks": [await world.href("Network")]}


async def _meter(world: World) -> Document:
    return {"meterTemplate": {"targetResource": await world.href("Machine"), **CPU}}


async def _event_log(world: World) -> Document:
    """A Volume has a log from the start; another may be made when that is gone."""
    volume = await world.make("Volume")
    log = (await world.owner.document(volume))["eventLog"]["href"]
    assert (await world.owner.delete(log)).status == 200
    return {"eventLogTemplate": {"targetResource": {"href": world.owner.base + volume}}}


async def _system_template(world: World) -> Document:
    """Of one Machine, so that a System of it can be moved."""
    term = "http://schemas.dmtf.org/cimi/1/Machine"
    return {"componentDescriptors": [{"name": "web", "type": term, "machineTemplate": await _machine_template(world)}]}


def _membership(kind: str) -> Callable[[World], Awaitable[Document]]:
    """A membership of a resource that is in no System yet."""

    async def document(world: World) -> Document:
        return {f"{kind[0].lower()}{kind[1:]}": await world.href(kind, new=True)}

    return document


async def _member(world: World) -> Document:
    """A user who has no role in the project yet."""
    made = await world.admin.post("users", _new_user(world))
    assert made.status == 201, made.text
    return {"userName": made.json["name"], "role": "viewer"}


def _new_user(world: World) -> Document:
    return {"name": f"user{next(world.numbers)}", "role": "viewer"}


KEY = {"userName": "ops", "key": "ssh-ed25519 AAAA me@here"}
PRIVATE = {"networkType": "PRIVATE"}
DOCUMENTS: dict[str, Callable[[World], Document | Awaitable[Document]]] = {
    "Machine": _machine,
    "Disk": lambda _world: {"capacity": 1000},
    "MachineVolume": _attachment,
    "MachineNetworkInterface": _in_network,
    "MachineNetworkInterfaceAddress": _interface_address,
    "MachineTemplate": _machine_template,
    "MachineConfiguration": lambda _world: {"cpu": 1, "memory": 131072},
    "MachineImage": World.file,
    "Volume": lambda _world: {"volumeTemplate": {"volumeConfig": {"capacity": 1000}}},
    "VolumeVolumeImage": lambda _world: {},
    "VolumeTemplate": lambda _world: {"volumeConfig": {"capacity": 1000}},
    "VolumeConfiguration": lambda _world: {"capacity": 1000},
    "VolumeImage": World.file,
    "Credential": lambda _world: {"credentialTemplate": KEY},
    "CredentialTemplate": lambda _world: KEY,
    "Network": lambda _world: {"networkTemplate": {"networkConfig": PRIVATE}},
    "NetworkTemplate": lambda _world: {"networkConfig": PRIVATE},
    "NetworkConfiguration": lambda _world: PRIVATE,
    "NetworkPort": _templated("networkPortTemplate", _in_network),
    "NetworkPortTemplate": _in_network,
    "NetworkPortConfiguration": lambda _world: {"portType": "ACCESS"},
    "Address": _templated("addressTemplate", _in_network),
    "AddressTemplate": _in_network,
    "ForwardingGroup": lambda _world: {"forwardingGroupTemplate": {"networks": []}},
    "ForwardingGroupNetwork": _group_network,
    "ForwardingGroupTemplate": _networks,
    "Meter": _meter,
    "MeterTemplate": lambda _world: CPU,
    "MeterConfiguration": lambda _world: {"aspect": "cpu", "sampleInterval": 10},
    "EventLog": _event_log,
    "EventLogTemplate": lambda _world: {"persistence": "daily"},
    "System": _templated("systemTemplate", _system_template),
    "SystemTemplate": _system_template,
    "User": _new_user,
    "Project": lambda world: {"name": f"project{next(world.numbers)}"},
    "ProjectMember": _member,
    "Token": lambda _world: {"readOnly": True},
    **{f"System{kind}": _membership(kind) for kind in MEMBER_SCHEMAS},
}
