"""One of every type, as it is served; and the store that it is served from."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from drivers.base import DriverFailed
from gateway.cimi.registry import TYPES, VIEWS
from tests.api.client import ApiClient
from tests.golden.recording import ID
from tests.golden.stage import Stage, staged
from tests.golden.stores import Dump, dumped

HERE = Path(__file__).parent
DOCUMENTS = HERE / "documents"
MEDIA = ("json", "xml")


@dataclass
class Served:
    """What one run serves: a body by the name of its file."""

    places: dict[str, str] = field(default_factory=dict)
    """What is read of the store: path and query by name."""
    bodies: dict[str, str] = field(default_factory=dict)
    store: Dump = field(default_factory=Dump)


async def served(home: Path) -> Served:
    """Make one of everything, and read it in both formats."""
    result = Served()
    async with staged(home) as stage:
        hold = asyncio.Event()
        try:
            result.places = {**await _everything(stage), **await _jobs(stage, hold)}
            for media in MEDIA:
                client = replace(stage.operator, media=media)
                result.bodies.update(await bodies(client, result.places))
            result.store = await asyncio.to_thread(dumped, home / "gateway.db")
            for media in MEDIA:
                result.bodies.update(await _errors(stage, replace(stage.operator, media=media), result.places))
        finally:
            hold.set()
            stage.driver.state.deaf = False
    result.bodies = {name: stage.fixed(body) for name, body in result.bodies.items()}
    return result


async def bodies(client: ApiClient, places: dict[str, str]) -> dict[str, str]:
    """Return the body of each place by the name of its file."""
    read = {}
    for name, place in places.items():
        answer = await client.get(place)
        assert answer.status == 200, f"{name}: {answer.text}"
        read[f"{name}.{client.media}"] = answer.text
    return read


async def _everything(stage: Stage) -> dict[str, str]:
    """A resource and a collection of each type, and what queries make of some."""
    world = stage.world
    image = await stage.image()
    machine = await stage.machine(
        image,
        machineConfig={"cpu": 1, "memory": 131072, "disks": [{"capacity": 40_000}, {"capacity": 6000}]},
        volumeTemplates=[{"volumeConfig": {"capacity": 2000}}],
        networkInterfaces=[{}, {"network": await world.href("Network")}],
    )
    await world.everything()
    whole = machine.removeprefix(world.owner.base)
    places = {kind: await world.ensure(kind) for kind in TYPES}
    for kind, declared in TYPES.items():
        if not declared.singleton:
            places[f"{kind}Collection"] = places[kind].rpartition("/")[0]
    for owner, segment in VIEWS:
        places[f"{owner}.{segment}"] = f"{places[owner]}/{segment}"
    waiting = {f"{kind}.waiting": await world.waiting(kind) for kind in ("MachineImage", "VolumeImage")}
    queries = {
        "Machine.whole": whole,
        "Machine.expanded": f"{whole}?$expand=*",
        "Machine.selected": f"{whole}?$select=name,state,disks",
        "System.expanded": f"{places['System']}?$expand=*",
        "Job.exported": await world.exported(),
        "MachineCollection.page": "machines?$orderby=created:desc&$first=2&$last=3",
        "JobCollection.filtered": "jobs?$filter=state='SUCCESS'%20and%20action='add'&$first=1&$last=5",
        "VolumeCollection.expanded": "volumes?$expand=images&$select=name,images",
        "EventCollection.page": f"{places['EventLog']}/events?$first=2&$last=4",
        "CloudEntryPoint.expanded": "cloudEntryPoint?$expand=systems,volumes",
    }
    return {**places, **waiting, **queries}


async def _jobs(stage: Stage, hold: asyncio.Event) -> dict[str, str]:
    """One in each state that there is: none is ever QUEUED, since a Job begins with the commit that writes it."""
    world, operator = stage.world, stage.operator
    stage.driver.fail_next("domains.define", DriverFailed("the hypervisor does not want to"))
    failed = await operator.post("machines", await world.document("Machine"), Prefer="wait=30")
    stopped = await world.running_job()
    stage.held = 1
    await operator.act(stopped, "stop")
    assert (await operator.ended(stopped))["state"] == "STOPPED"
    stage.held, stage.driver.state.deaf = 0, False
    running, pause = await _held(stage, hold)
    places = {"SUCCESS": world.paths["Job"], "FAILED": failed.job, "STOPPED": stopped}
    places |= {"RUNNING": running, "STOPPING": pause}
    machine = (await operator.document(running))["targetResource"]["href"]
    urls = {**{f"Job.{state}": url for state, url in places.items()}, "Machine.stopping": machine}
    return {name: url.removeprefix(operator.base) for name, url in urls.items()}


async def _held(stage: Stage, hold: asyncio.Event) -> tuple[str, str]:
    """A Job that runs, and one that is asked to stop in the middle of a step which takes no notice."""
    stage.held = 1
    machine = await stage.world.make("Machine")
    pause_domain, entered = stage.driver.domains.pause, asyncio.Event()

    async def slow(uuid: str) -> None:
        entered.set()
        await hold.wait()
        await pause_domain(uuid)

    stage.driver.domains.pause = slow  # type: ignore[method-assign]
    pause = (await stage.operator.act(machine, "pause")).job
    await entered.wait()
    await stage.operator.act(pause, "stop")
    await stage.operator.state(pause, "STOPPING")
    stage.held = 2
    running = await stage.world.running_job()
    return running, pause


# Errors


def _refused(places: dict[str, str]) -> Iterator[tuple[str, str, str, bytes | None, dict[str, str]]]:
    """Name, method, URL, body, and headers of requests that are answered with an error."""
    machine = places["Machine"]
    pause = b'{"action": "http://schemas.dmtf.org/cimi/1/action/pause"}'
    of_json = {"Content_Type": "application/json"}
    yield "Error.400-body", "POST", "machines", b"{", of_json
    yield "Error.400-value", "POST", "volumeTemplates", b'{"volumeConfig": {"capacity": "much"}}', of_json
    yield "Error.400-missing", "POST", "machines", b'{"name": "m"}', of_json
    yield "Error.400-filter", "GET", "machines?$filter=cpu", None, {}
    yield "Error.403", "POST", "machineConfigs", b'{"cpu": 1, "memory": 131072}', of_json
    yield "Error.404-resource", "GET", "machines/none", None, {}
    yield "Error.404-path", "GET", "nothing/at/all", None, {}
    yield "Error.405", "DELETE", "machines", None, {}
    yield "Error.406", "GET", machine, None, {"Accept": "text/html"}
    yield "Error.409", "POST", f"{places['Machine.stopped']}/pause", pause, of_json
    yield "Error.412", "PUT", machine, b'{"name": "n"}', {**of_json, "If_Match": '"nothing"'}
    yield "Error.415", "POST", "machines", b"<a/>", {"Content_Type": "text/plain"}


async def _errors(stage: Stage, client: ApiClient, places: dict[str, str]) -> dict[str, str]:
    off = (await stage.machine(await stage.image(), initialState="STOPPED")).removeprefix(client.base)
    read = {}
    for name, method, url, body, headers in _refused({**places, "Machine.stopped": off}):
        answer = await client.request(method, url, body, **headers)
        assert f"Error.{answer.status}" == name[:9], f"{name}: {answer.status} {answer.text}"
        read[f"{name}.{client.media}"] = answer.text
    unknown = await replace(client, user="").get("machines")
    assert unknown.status == 401, unknown.text
    return {**read, f"Error.401.{client.media}": unknown.text}


# Files


def write(result: Served) -> None:
    """Write all golden documents of a run anew."""
    DOCUMENTS.mkdir(exist_ok=True)
    for path in DOCUMENTS.iterdir():
        path.unlink()
    for name, body in result.bodies.items():
        (DOCUMENTS / name).write_bytes(body.encode())


def golden(name: str) -> str:
    return (DOCUMENTS / name).read_bytes().decode()


def numbered(texts: dict[str, str]) -> dict[str, str]:
    """Put the number of its first appearance in the place of each id."""
    numbers: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        return numbers.setdefault(match[0], f"id {len(numbers)}")

    return {name: ID.sub(number, texts[name]) for name in sorted(texts)}


def different(fresh: dict[str, str]) -> list[str]:
    """Name those that are not, byte for byte, the golden ones.

    In which order the gateway draws its ids is no part of the wire: where they are others, they need only be the same
    in the same places, in all documents together.
    """
    kept = {name: golden(name) for name in fresh}
    unequal = [name for name in fresh if fresh[name] != kept[name]]
    if not unequal:
        return []
    one, other = numbered(fresh), numbered(kept)
    return [name for name in unequal if one[name] != other[name]]
