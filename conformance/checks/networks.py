"""Networks and their ports."""

from __future__ import annotations

from conformance import fixtures
from conformance import vocabulary as words
from conformance.checks.credentials import life
from conformance.outcomes import NotOffered, expect
from conformance.provider import Provider, fixture
from conformance.registry import check
from conformance.wire import Document


def new_network(provider: Provider, **template: object) -> str:
    """Create a Network, and return its URI."""
    content = {"name": provider.new_name("network"), "networkTemplate": fixtures.network_template(provider, **template)}
    return provider.create(provider.collection("networks"), "NetworkCreate", content).url


@check("network-create")
def network_create(provider: Provider) -> None:
    network = fixtures.network(provider)
    expect(
        str(network.get("networkType", "PRIVATE")).upper() == "PRIVATE", f"networkType is {network.get('networkType')}"
    )
    expect(network.get("name") == f"{provider.mark}-network", f"name is {network.get('name')}")


@check("network-create-without-template")
def network_create_without_template(provider: Provider) -> None:
    answer = provider.add(provider.collection("networks"), "NetworkCreate", {"name": provider.new_name("network")})
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")


@check("network-initial-state")
def network_initial_state(provider: Provider) -> None:
    wanted = str(provider.capability("Network", "DefaultInitialState") or "STOPPED")
    fixtures.network_made(provider)
    state = provider.once("network at first", lambda: None)
    expect(state == wanted, f"without initialState it is {state}, not {wanted}")
    if "STOPPED" in str(provider.capability("Network", "InitialStates") or ""):
        url = new_network(provider, initialState="STOPPED")
        state = provider.read(url).get("state")
        provider.delete(url)
        expect(state == "STOPPED", f"asked for STOPPED, it is {state}")


@check("network-initial-state-that-cannot-be")
def network_initial_state_that_cannot_be(provider: Provider) -> None:
    content = {
        "name": provider.new_name("network"),
        "networkTemplate": fixtures.network_template(provider, initialState="DELETING"),
    }
    answer = provider.add(provider.collection("networks"), "NetworkCreate", content)
    failed = not answer.good or (provider.ended_job(answer) or {}).get("state") == "FAILED"
    expect(failed and answer.status < 500, f"a Network that begins DELETING was answered {answer.summary}")


@fixture
def turns(provider: Provider) -> dict[str, tuple[Document, list[str], Document]]:
    """stop and start of the Network: it before, its states meanwhile, it after."""
    url = str(fixtures.network(provider)["id"])
    seen: dict[str, tuple[Document, list[str], Document]] = {}
    for verb in ("stop", "start", "stop", "start"):
        before = provider.read(url)
        if verb in seen or provider.operation(before, verb) is None:
            continue
        answer = provider.request_action(before, verb)
        expect(answer.good, f"{verb} was answered {answer.summary}")
        during = [str(provider.read(url).get("state"))]
        provider.finish(answer)
        seen[verb] = before, during, provider.read(url)
    return seen


def _turn(provider: Provider, verb: str) -> tuple[Document, list[str], Document]:
    if verb not in turns(provider):
        raise NotOffered(f"Networks do not offer {verb}")
    return turns(provider)[verb]


@check("network-stop")
def network_stop(provider: Provider) -> None:
    after = _turn(provider, "stop")[2]
    expect(after.get("state") == "STOPPED", f"after stop it is {after.get('state')}")


@check("network-start")
def network_start(provider: Provider) -> None:
    after = _turn(provider, "start")[2]
    expect(after.get("state") == "STARTED", f"after start it is {after.get('state')}")


@check("network-transient-states")
def network_transient_states(provider: Provider) -> None:
    for verb, states in (("stop", ("STOPPING", "STOPPED")), ("start", ("STARTING", "STARTED"))):
        strange = [state for state in _turn(provider, verb)[1] if state not in states]
        expect(not strange, f"while {verb} was done it was {', '.join(strange)}")


@check("network-operations")
def network_operations(provider: Provider) -> None:
    for document in (*_turn(provider, "stop")[::2], *_turn(provider, "start")[::2]):
        state = document.get("state")
        wanted, unwanted = ("stop", "start") if state == "STARTED" else ("start", "stop")
        expect(provider.operation(document, wanted), f"a {state} Network does not offer {wanted}")
        expect(not provider.operation(document, unwanted), f"a {state} Network offers {unwanted}")


@check("network-collections-can-be-read")
def network_collections_can_be_read(provider: Provider) -> None:
    network = fixtures.network(provider)
    for name, kind in (("networkPorts", "NetworkNetworkPort"), ("meters", "Meter")):
        if name in network:
            said = provider.read(str(network[name]["href"])).get("resourceURI")
            expect(said == words.type_uri(f"{kind}Collection"), f"{name} is a {said}")


@check("network-edit")
def network_edit(provider: Provider) -> None:
    network = fixtures.network(provider)
    provider.edit(network, "Network", {"description": "new"}, "description")
    expect(fixtures.network(provider).get("description") == "new", "the edit did nothing")


@check("network-delete")
def network_delete(provider: Provider) -> None:
    url = new_network(provider)
    provider.delete(url)
    expect(provider.is_gone(url), "it can still be read")
    expect(
        url not in [item.get("id") for item in provider.all_items(provider.collection("networks"))],
        "it is still listed",
    )


@check("network-template-life")
def network_template_life(provider: Provider) -> None:
    life(provider, "networkTemplates", "NetworkTemplate", fixtures.network_template(provider), {"description": "new"})


@check("network-create-by-reference")
def network_create_by_reference(provider: Provider) -> None:
    content = {"name": provider.new_name("template"), **fixtures.network_template(provider)}
    template = provider.create(provider.collection("networkTemplates"), "NetworkTemplate", content).url
    document = {"name": provider.new_name("network"), "networkTemplate": {"href": template}}
    url = provider.create(provider.collection("networks"), "NetworkCreate", document).url
    name = str(provider.read(url).get("name"))
    provider.delete(url)
    expect(name == document["name"], f"name is {name}")


@check("network-configuration-life")
def network_configuration_life(provider: Provider) -> None:
    life(provider, "networkConfigs", "NetworkConfiguration", {"networkType": "PRIVATE", "mtu": 1400}, {"mtu": 1300})


# Ports


@check("network-port-create")
def network_port_create(provider: Provider) -> None:
    port = provider.read(fixtures.port_made(provider).url)
    said = (port.get("network") or {}).get("href")
    expect(said == fixtures.network(provider)["id"], f"network is {said}")
    expect(port.get("state"), "it has no state")


@check("network-port-needs-a-network")
def network_port_needs_a_network(provider: Provider) -> None:
    content = {"name": provider.new_name("port"), "networkPortTemplate": {"networkPortConfig": {"portType": "ACCESS"}}}
    answer = provider.add(provider.collection("networkPorts"), "NetworkPortCreate", content)
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")


@check("network-port-stop-and-start")
def network_port_stop_and_start(provider: Provider) -> None:
    url = fixtures.port_made(provider).url
    for verb, state in (("stop", "STOPPED"), ("start", "STARTED")):
        port = provider.perform(url, verb)
        expect(port.get("state") == state, f"after {verb} it is {port.get('state')}")


def _ports(provider: Provider) -> list[str]:
    reference = fixtures.network(provider).get("networkPorts")
    if not isinstance(reference, dict):
        raise NotOffered("Networks have no networkPorts")
    return [str((entry.get("networkPort") or {}).get("href")) for entry in provider.items_at(str(reference["href"]))]


@check("network-lists-its-ports")
def network_lists_its_ports(provider: Provider) -> None:
    mine = fixtures.port_made(provider).url
    expect(mine in _ports(provider), "it does not")


@check("network-port-delete")
def network_port_delete(provider: Provider) -> None:
    content = {
        "name": provider.new_name("port"),
        "networkPortTemplate": {"network": {"href": fixtures.network(provider)["id"]}},
    }
    made = provider.create(provider.collection("networkPorts"), "NetworkPortCreate", content)
    provider.delete(made.url)
    expect(provider.is_gone(made.url), "it can still be read")
    expect(made.url not in _ports(provider), "the Network still has it")


@check("network-port-template-life")
def network_port_template_life(provider: Provider) -> None:
    content: dict[str, object] = {"network": {"href": fixtures.network(provider)["id"]}}
    life(provider, "networkPortTemplates", "NetworkPortTemplate", content, {"description": "new"})


@check("network-port-configuration-life")
def network_port_configuration_life(provider: Provider) -> None:
    life(provider, "networkPortConfigs", "NetworkPortConfiguration", {"portType": "ACCESS"}, {"description": "new"})
