"""Addresses and forwarding groups."""

from __future__ import annotations

from conformance import things
from conformance.checks.credentials import life
from conformance.checks.networks import new_network
from conformance.looking import is_collection
from conformance.outcomes import NotOffered, expect
from conformance.registry import check
from conformance.world import World


def _new(world: World, **template: object) -> str:
    content = {
        "name": world.name("address"),
        "addressTemplate": {"network": {"href": things.network(world)["id"]}, **template},
    }
    return world.make(world.collection("addresses"), "AddressCreate", content).url


@check("address-create")
def address_create(world: World) -> None:
    found = world.read(things.address_made(world).url)
    expect(found.get("ip"), "it has no ip")
    said = (found.get("network") or {}).get("href")
    expect(said == things.network(world)["id"], f"network is {said}")


@check("address-is-unique")
def address_is_unique(world: World) -> None:
    taken = world.read(things.address_made(world).url)["ip"]
    other = world.read(_new(world))["ip"]
    expect(other != taken, f"two have {taken}")
    content = {
        "name": world.name("address"),
        "addressTemplate": {"network": {"href": things.network(world)["id"]}, "ip": taken},
    }
    answer = world.add(world.collection("addresses"), "AddressCreate", content)
    expect(400 <= answer.status < 500, f"asking for {taken} again was answered {answer.told()}")


@check("address-has-its-surroundings")
def address_has_its_surroundings(world: World) -> None:
    found = world.read(things.address_made(world).url)
    missing = [name for name in ("protocol", "mask") if name not in found]
    expect(not missing, f"it has no {' and no '.join(missing)}")


@check("address-has-no-state")
def address_has_no_state(world: World) -> None:
    found = world.read(things.address_made(world).url)
    expect("state" not in found, f"state is {found.get('state')}")
    actions = [entry.get("rel") for entry in found.get("operations", []) if entry.get("rel") not in ("edit", "delete")]
    expect(not actions, f"it offers {actions}")


@check("address-delete")
def address_delete(world: World) -> None:
    url = _new(world)
    ip = world.read(url)["ip"]
    world.removed(url)
    expect(world.gone(url), "it can still be read")
    again = world.read(_new(world, ip=ip)).get("ip")
    expect(again == ip, f"asked for {ip} anew, it has {again}")


@check("address-template-life")
def address_template_life(world: World) -> None:
    content: dict[str, object] = {"protocol": "IPv4", "hostname": "checks"}
    life(world, "addressTemplates", "AddressTemplate", content, "hostname", "others")


# Forwarding groups


def _networks(world: World) -> tuple[str, list[str]]:
    """URI of the group's networks, and what they refer to."""
    found = world.read(things.group_made(world).url).get("networks")
    if not isinstance(found, dict):
        raise NotOffered("ForwardingGroups have no collection of networks")
    document = world.read(str(found["href"]))
    expect(is_collection(document), f"networks is a {document.get('resourceURI')}")
    return str(found["href"]), [str((entry.get("network") or {}).get("href")) for entry in world.items(document)]


@check("forwarding-group-create")
def forwarding_group_create(world: World) -> None:
    found = _networks(world)[1]
    expect(things.network(world)["id"] in found, f"it has {found}")


@check("forwarding-group-is-shown-by-its-networks")
def forwarding_group_is_shown_by_its_networks(world: World) -> None:
    group = things.group_made(world).url
    said = (things.network(world).get("forwardingGroup") or {}).get("href")
    expect(said == group, f"it is {said}")


@check("forwarding-group-add-and-remove")
def forwarding_group_add_and_remove(world: World) -> None:
    url, _found = _networks(world)
    network = new_network(world)
    made = world.make(url, "ForwardingGroupNetwork", {"network": {"href": network}})
    expect(network in _networks(world)[1], "it is not listed")
    world.removed(made.url)
    expect(network not in _networks(world)[1], "it is still listed")
    left = world.read(network)
    expect(not left.get("forwardingGroup"), f"forwardingGroup is {left.get('forwardingGroup')}")
    world.removed(network)


@check("forwarding-group-one-at-a-time")
def forwarding_group_one_at_a_time(world: World) -> None:
    things.group_made(world)
    content = {
        "name": world.name("group"),
        "forwardingGroupTemplate": {"networks": [{"href": things.network(world)["id"]}]},
    }
    answer = world.add(world.collection("forwardingGroups"), "ForwardingGroupCreate", content)
    if answer.good:
        world.ended(answer)
        said = (things.network(world).get("forwardingGroup") or {}).get("href")
        expect(
            things.network(world)["id"] not in _networks(world)[1] or said == things.group_made(world).url,
            "it is in two",
        )
    else:
        expect(answer.status < 500, f"it was answered {answer.told()}")


@check("forwarding-group-delete")
def forwarding_group_delete(world: World) -> None:
    url = things.group_made(world).url
    world.removed(url)
    expect(world.gone(url), "it can still be read")
    left = things.network(world)
    expect(not left.get("forwardingGroup"), f"forwardingGroup of the Network is {left.get('forwardingGroup')}")


@check("forwarding-group-template-life")
def forwarding_group_template_life(world: World) -> None:
    content: dict[str, object] = {"networks": [{"href": things.network(world)["id"]}]}
    life(world, "forwardingGroupTemplates", "ForwardingGroupTemplate", content, "description", "new")
