"""Addresses and forwarding groups."""

from __future__ import annotations

from conformance import fixtures
from conformance.checks.credentials import life
from conformance.checks.networks import new_network
from conformance.documents import is_collection
from conformance.outcomes import NotOffered, expect
from conformance.provider import Provider
from conformance.registry import check


def _new(provider: Provider, **template: object) -> str:
    content = {
        "name": provider.new_name("address"),
        "addressTemplate": {"network": {"href": fixtures.network(provider)["id"]}, **template},
    }
    return provider.create(provider.collection("addresses"), "AddressCreate", content).url


@check("address-create")
def address_create(provider: Provider) -> None:
    address = provider.read(fixtures.address_made(provider).url)
    expect(address.get("ip"), "it has no ip")
    said = (address.get("network") or {}).get("href")
    expect(said == fixtures.network(provider)["id"], f"network is {said}")


@check("address-is-unique")
def address_is_unique(provider: Provider) -> None:
    taken = provider.read(fixtures.address_made(provider).url)["ip"]
    other = provider.read(_new(provider))["ip"]
    expect(other != taken, f"two have {taken}")
    content = {
        "name": provider.new_name("address"),
        "addressTemplate": {"network": {"href": fixtures.network(provider)["id"]}, "ip": taken},
    }
    answer = provider.add(provider.collection("addresses"), "AddressCreate", content)
    expect(400 <= answer.status < 500, f"asking for {taken} again was answered {answer.summary}")


@check("address-has-its-surroundings")
def address_has_its_surroundings(provider: Provider) -> None:
    address = provider.read(fixtures.address_made(provider).url)
    missing = [name for name in ("protocol", "mask") if name not in address]
    expect(not missing, f"it has no {' and no '.join(missing)}")


@check("address-has-no-state")
def address_has_no_state(provider: Provider) -> None:
    address = provider.read(fixtures.address_made(provider).url)
    expect("state" not in address, f"state is {address.get('state')}")
    actions = [
        entry.get("rel") for entry in address.get("operations", []) if entry.get("rel") not in ("edit", "delete")
    ]
    expect(not actions, f"it offers {actions}")


@check("address-delete")
def address_delete(provider: Provider) -> None:
    url = _new(provider)
    ip = provider.read(url)["ip"]
    provider.delete(url)
    expect(provider.is_gone(url), "it can still be read")
    again = provider.read(_new(provider, ip=ip)).get("ip")
    expect(again == ip, f"asked for {ip} anew, it has {again}")


@check("address-template-life")
def address_template_life(provider: Provider) -> None:
    content: dict[str, object] = {"protocol": "IPv4", "hostname": "checks"}
    life(provider, "addressTemplates", "AddressTemplate", content, {"hostname": "others"})


# Forwarding groups


def _networks(provider: Provider) -> tuple[str, list[str]]:
    """Return the URI of the group's networks, and the URIs that they refer to."""
    reference = provider.read(fixtures.group_made(provider).url).get("networks")
    if not isinstance(reference, dict):
        raise NotOffered("ForwardingGroups have no collection of networks")
    document = provider.read(str(reference["href"]))
    expect(is_collection(document), f"networks is a {document.get('resourceURI')}")
    return str(reference["href"]), [str((entry.get("network") or {}).get("href")) for entry in provider.items(document)]


@check("forwarding-group-create")
def forwarding_group_create(provider: Provider) -> None:
    networks = _networks(provider)[1]
    expect(fixtures.network(provider)["id"] in networks, f"it has {networks}")


@check("forwarding-group-is-shown-by-its-networks")
def forwarding_group_is_shown_by_its_networks(provider: Provider) -> None:
    group = fixtures.group_made(provider).url
    said = (fixtures.network(provider).get("forwardingGroup") or {}).get("href")
    expect(said == group, f"it is {said}")


@check("forwarding-group-add-and-remove")
def forwarding_group_add_and_remove(provider: Provider) -> None:
    url, _found = _networks(provider)
    network = new_network(provider)
    made = provider.create(url, "ForwardingGroupNetwork", {"network": {"href": network}})
    expect(network in _networks(provider)[1], "it is not listed")
    provider.delete(made.url)
    expect(network not in _networks(provider)[1], "it is still listed")
    left = provider.read(network)
    expect(not left.get("forwardingGroup"), f"forwardingGroup is {left.get('forwardingGroup')}")
    provider.delete(network)


@check("forwarding-group-one-at-a-time")
def forwarding_group_one_at_a_time(provider: Provider) -> None:
    fixtures.group_made(provider)
    content = {
        "name": provider.new_name("group"),
        "forwardingGroupTemplate": {"networks": [{"href": fixtures.network(provider)["id"]}]},
    }
    answer = provider.add(provider.collection("forwardingGroups"), "ForwardingGroupCreate", content)
    if answer.good:
        provider.ended_job(answer)
        said = (fixtures.network(provider).get("forwardingGroup") or {}).get("href")
        expect(
            fixtures.network(provider)["id"] not in _networks(provider)[1] or said == fixtures.group_made(provider).url,
            "it is in two",
        )
    else:
        expect(answer.status < 500, f"it was answered {answer.summary}")


@check("forwarding-group-delete")
def forwarding_group_delete(provider: Provider) -> None:
    url = fixtures.group_made(provider).url
    provider.delete(url)
    expect(provider.is_gone(url), "it can still be read")
    left = fixtures.network(provider)
    expect(not left.get("forwardingGroup"), f"forwardingGroup of the Network is {left.get('forwardingGroup')}")


@check("forwarding-group-template-life")
def forwarding_group_template_life(provider: Provider) -> None:
    content: dict[str, object] = {"networks": [{"href": fixtures.network(provider)["id"]}]}
    life(provider, "forwardingGroupTemplates", "ForwardingGroupTemplate", content, {"description": "new"})
