"""Networks and their ports."""

from __future__ import annotations

from conformance import things
from conformance import vocabulary as words
from conformance.checks.credentials import life
from conformance.outcomes import NotOffered, expect
from conformance.registry import check
from conformance.wire import Document
from conformance.world import World, fact


def new_network(world: World, **template: object) -> str:
    content = {"name": world.name("network"), "networkTemplate": things.network_template(world, **template)}
    return world.make(world.collection("networks"), "NetworkCreate", content).url


@check("network-create")
def network_create(world: World) -> None:
    found = things.network(world)
    expect(str(found.get("networkType", "PRIVATE")).upper() == "PRIVATE", f"networkType is {found.get('networkType')}")
    expect(found.get("name") == f"{world.mark}-network", f"name is {found.get('name')}")


@check("network-create-without-template")
def network_create_without_template(world: World) -> None:
    answer = world.add(world.collection("networks"), "NetworkCreate", {"name": world.name("network")})
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")


@check("network-initial-state")
def network_initial_state(world: World) -> None:
    wanted = str(world.capability("Network", "DefaultInitialState") or "STOPPED")
    things.network_made(world)
    state = world.once("network at first", lambda: None)
    expect(state == wanted, f"without initialState it is {state}, not {wanted}")
    if "STOPPED" in str(world.capability("Network", "InitialStates") or ""):
        url = new_network(world, initialState="STOPPED")
        state = world.read(url).get("state")
        world.removed(url)
        expect(state == "STOPPED", f"asked for STOPPED, it is {state}")


@check("network-initial-state-that-cannot-be")
def network_initial_state_that_cannot_be(world: World) -> None:
    content = {
        "name": world.name("network"),
        "networkTemplate": things.network_template(world, initialState="DELETING"),
    }
    answer = world.add(world.collection("networks"), "NetworkCreate", content)
    failed = not answer.good or (world.ended(answer) or {}).get("state") == "FAILED"
    expect(failed and answer.status < 500, f"a Network that begins DELETING was answered {answer.told()}")


@fact
def turns(world: World) -> dict[str, tuple[Document, list[str], Document]]:
    """stop and start of the Network: it before, its states meanwhile, it after."""
    url = str(things.network(world)["id"])
    seen: dict[str, tuple[Document, list[str], Document]] = {}
    for verb in ("stop", "start", "stop", "start"):
        before = world.read(url)
        if verb in seen or world.operation(before, verb) is None:
            continue
        answer = world.act(before, verb)
        expect(answer.good, f"{verb} was answered {answer.told()}")
        during = [str(world.read(url).get("state"))]
        world.finish(answer)
        seen[verb] = before, during, world.read(url)
    return seen


def _turn(world: World, verb: str) -> tuple[Document, list[str], Document]:
    if verb not in turns(world):
        raise NotOffered(f"Networks do not offer {verb}")
    return turns(world)[verb]


@check("network-stop")
def network_stop(world: World) -> None:
    after = _turn(world, "stop")[2]
    expect(after.get("state") == "STOPPED", f"after stop it is {after.get('state')}")


@check("network-start")
def network_start(world: World) -> None:
    after = _turn(world, "start")[2]
    expect(after.get("state") == "STARTED", f"after start it is {after.get('state')}")


@check("network-transient-states")
def network_transient_states(world: World) -> None:
    for verb, states in (("stop", ("STOPPING", "STOPPED")), ("start", ("STARTING", "STARTED"))):
        strange = [state for state in _turn(world, verb)[1] if state not in states]
        expect(not strange, f"while {verb} was done it was {', '.join(strange)}")


@check("network-operations")
def network_operations(world: World) -> None:
    for document in (*_turn(world, "stop")[::2], *_turn(world, "start")[::2]):
        state = document.get("state")
        wanted, unwanted = ("stop", "start") if state == "STARTED" else ("start", "stop")
        expect(world.operation(document, wanted), f"a {state} Network does not offer {wanted}")
        expect(not world.operation(document, unwanted), f"a {state} Network offers {unwanted}")


@check("network-collections-can-be-read")
def network_collections_can_be_read(world: World) -> None:
    found = things.network(world)
    for name, kind in (("networkPorts", "NetworkNetworkPort"), ("meters", "Meter")):
        if name in found:
            said = world.read(str(found[name]["href"])).get("resourceURI")
            expect(said == words.type_uri(f"{kind}Collection"), f"{name} is a {said}")


@check("network-edit")
def network_edit(world: World) -> None:
    found = things.network(world)
    answer = world.wire.put(
        world.demanded(found, "edit"), "Network", {"description": "new"}, ("$select", "description")
    )
    expect(answer.good, f"it was answered {answer.told()}")
    world.finish(answer)
    expect(things.network(world).get("description") == "new", "the edit did nothing")


@check("network-delete")
def network_delete(world: World) -> None:
    url = new_network(world)
    world.removed(url)
    expect(world.gone(url), "it can still be read")
    expect(url not in [item.get("id") for item in world.everything(world.collection("networks"))], "it is still listed")


@check("network-template-life")
def network_template_life(world: World) -> None:
    life(world, "networkTemplates", "NetworkTemplate", things.network_template(world), "description", "new")


@check("network-create-by-reference")
def network_create_by_reference(world: World) -> None:
    content = {"name": world.name("template"), **things.network_template(world)}
    template = world.make(world.collection("networkTemplates"), "NetworkTemplate", content).url
    document = {"name": world.name("network"), "networkTemplate": {"href": template}}
    url = world.make(world.collection("networks"), "NetworkCreate", document).url
    name = str(world.read(url).get("name"))
    world.removed(url)
    expect(name == document["name"], f"name is {name}")


@check("network-configuration-life")
def network_configuration_life(world: World) -> None:
    life(world, "networkConfigs", "NetworkConfiguration", {"networkType": "PRIVATE", "mtu": 1400}, "mtu", 1300)


# Ports


@check("network-port-create")
def network_port_create(world: World) -> None:
    found = world.read(things.port_made(world).url)
    said = (found.get("network") or {}).get("href")
    expect(said == things.network(world)["id"], f"network is {said}")
    expect(found.get("state"), "it has no state")


@check("network-port-needs-a-network")
def network_port_needs_a_network(world: World) -> None:
    content = {"name": world.name("port"), "networkPortTemplate": {"networkPortConfig": {"portType": "ACCESS"}}}
    answer = world.add(world.collection("networkPorts"), "NetworkPortCreate", content)
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")


@check("network-port-stop-and-start")
def network_port_stop_and_start(world: World) -> None:
    url = things.port_made(world).url
    for verb, state in (("stop", "STOPPED"), ("start", "STARTED")):
        found = world.acted(url, verb)
        expect(found.get("state") == state, f"after {verb} it is {found.get('state')}")


def _ports(world: World) -> list[str]:
    found = things.network(world).get("networkPorts")
    if not isinstance(found, dict):
        raise NotOffered("Networks have no networkPorts")
    return [str((entry.get("networkPort") or {}).get("href")) for entry in world.listed(str(found["href"]))]


@check("network-lists-its-ports")
def network_lists_its_ports(world: World) -> None:
    mine = things.port_made(world).url
    expect(mine in _ports(world), "it does not")


@check("network-port-delete")
def network_port_delete(world: World) -> None:
    content = {"name": world.name("port"), "networkPortTemplate": {"network": {"href": things.network(world)["id"]}}}
    made = world.make(world.collection("networkPorts"), "NetworkPortCreate", content)
    world.removed(made.url)
    expect(world.gone(made.url), "it can still be read")
    expect(made.url not in _ports(world), "the Network still has it")


@check("network-port-template-life")
def network_port_template_life(world: World) -> None:
    content: dict[str, object] = {"network": {"href": things.network(world)["id"]}}
    life(world, "networkPortTemplates", "NetworkPortTemplate", content, "description", "new")


@check("network-port-configuration-life")
def network_port_configuration_life(world: World) -> None:
    life(world, "networkPortConfigs", "NetworkPortConfiguration", {"portType": "ACCESS"}, "description", "new")
