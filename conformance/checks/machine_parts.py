"""Disks, volumes and network interfaces of a Machine that is off."""

from __future__ import annotations

from conformance import fixtures
from conformance import vocabulary as words
from conformance.checks.machine_states import walk
from conformance.outcomes import NotOffered, expect
from conformance.provider import Creation, Provider, fixture
from conformance.registry import check
from conformance.wire import Document


def _collection(provider: Provider, name: str, owner: Document | None = None) -> str:
    """Return the URI of a nested collection of the Machine. Raises NotOffered when it has none."""
    if owner is None:
        walk(provider)
        owner = fixtures.machine(provider)
    reference = owner.get(name)
    if not isinstance(reference, dict):
        raise NotOffered(f"Machines have no {name}")
    return str(reference["href"])


# Disks


@check("disk-has-capacity")
def disk_has_capacity(provider: Provider) -> None:
    disks = provider.items_at(_collection(provider, "disks"))
    if not disks:
        raise NotOffered("the Machine has no disks")
    expect(all(isinstance(disk.get("capacity"), int) for disk in disks), f"a disk is {disks[0]}")


@fixture
def disk(provider: Provider) -> Creation:
    """Add a disk to the Machine."""
    return provider.create(_collection(provider, "disks"), "Disk", {"capacity": 20_000})


@check("disk-add")
def disk_add(provider: Provider) -> None:
    new_disk = provider.read(disk(provider).url)
    expect(int(new_disk.get("capacity", 0)) >= 20_000, f"of 20000 kB it has {new_disk.get('capacity')}")
    ids = [item.get("id") for item in provider.items_at(_collection(provider, "disks"))]
    expect(disk(provider).url in ids, "it is not listed")


@check("disk-delete")
def disk_delete(provider: Provider) -> None:
    url = disk(provider).url
    provider.demand_operation(provider.read(url), "delete")
    provider.delete(url)
    ids = [item.get("id") for item in provider.items_at(_collection(provider, "disks"))]
    expect(url not in ids and provider.is_gone(url), "it is still there")


# Volumes


@fixture
def attached(provider: Provider) -> Creation:
    """Connect the Volume to the Machine."""
    content = {"volume": {"href": fixtures.volume(provider)["id"]}, "initialLocation": "/dev/vdf"}
    return provider.create(_collection(provider, "volumes"), "MachineVolume", content)


@check("machine-volume-attach")
def machine_volume_attach(provider: Provider) -> None:
    connection = provider.read(attached(provider).url)
    expect(
        (connection.get("volume") or {}).get("href") == fixtures.volume(provider)["id"],
        f"volume is {connection.get('volume')}",
    )
    ids = [item.get("id") for item in provider.items_at(_collection(provider, "volumes"))]
    expect(attached(provider).url in ids, "it is not listed")


@check("machine-volume-has-its-own-id")
def machine_volume_has_its_own_id(provider: Provider) -> None:
    connection = provider.read(attached(provider).url)
    expect(connection.get("id") != fixtures.volume(provider)["id"], "it has the Volume's id")
    expect(
        provider.wire.absolute(str(connection.get("id"))) == attached(provider).url, f"its id is {connection.get('id')}"
    )


@check("machine-volume-not-shared")
def machine_volume_not_shared(provider: Provider) -> None:
    if provider.has_capability("Volume", "SharedVolumeSupport"):
        raise NotOffered("Volumes may be shared here")
    first = attached(provider)
    answer = provider.add(
        _collection(provider, "volumes"), "MachineVolume", {"volume": {"href": fixtures.volume(provider)["id"]}}
    )
    # Nothing is shared when the answer is about the connection that is there.
    there = answer.status == 200 and answer.location == first.url
    expect(there or 400 <= answer.status < 500, f"a second connection was answered {answer.summary}")


@check("machine-volume-detach")
def machine_volume_detach(provider: Provider) -> None:
    url = attached(provider).url
    provider.delete(url)
    expect(provider.is_gone(url), "it can still be read")
    expect(fixtures.volume(provider).get("id"), "the Volume is gone")


@check("machine-volume-of-nothing")
def machine_volume_of_nothing(provider: Provider) -> None:
    answer = provider.add(_collection(provider, "volumes"), "MachineVolume", {"initialLocation": "/dev/vdg"})
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")


# Interfaces


@fixture
def connected(provider: Provider) -> Document:
    """Create a Machine with one interface, on a Network of this run."""
    network = fixtures.network(provider)["id"]
    return provider.read(fixtures.new_machine(provider, networkInterfaces=[{"network": {"href": network}}]).url)


@fixture
def interface(provider: Provider) -> Document:
    """Read the interface of the Machine on a Network of this run."""
    interfaces = provider.items_at(_collection(provider, "networkInterfaces", connected(provider)))
    expect(interfaces, "the Machine has no interface")
    return provider.read(str(interfaces[0]["id"]))


@check("machine-network-interface-refers")
def machine_network_interface_refers(provider: Provider) -> None:
    shown_interface = interface(provider)
    expect(isinstance(shown_interface.get("network"), dict), f"network is {shown_interface.get('network')}")
    addresses = shown_interface.get("addresses")
    expect(isinstance(addresses, dict), f"addresses is {addresses}")
    document = provider.read(str((addresses or {})["href"]))
    wanted = words.type_uri("MachineNetworkInterfaceAddressCollection")
    expect(document.get("resourceURI") == wanted, f"addresses is a {document.get('resourceURI')}")


@check("machine-network-interface-of-the-template")
def machine_network_interface_of_the_template(provider: Provider) -> None:
    network = (interface(provider).get("network") or {}).get("href")
    expect(network == fixtures.network(provider)["id"], f"it is on {network}")


@check("machine-network-interface-add")
def machine_network_interface_add(provider: Provider) -> None:
    url = _collection(provider, "networkInterfaces", connected(provider))
    made = provider.create(url, "MachineNetworkInterface", {"network": {"href": fixtures.network(provider)["id"]}})
    expect(made.url in [item.get("id") for item in provider.items_at(url)], "it is not listed")
    provider.delete(made.url)
    expect(made.url not in [item.get("id") for item in provider.items_at(url)], "it is still listed")


@check("machine-network-interface-address-add")
def machine_network_interface_address_add(provider: Provider) -> None:
    address = fixtures.address_made(provider).url
    url = _collection(provider, "addresses", interface(provider))
    made = provider.create(url, "MachineNetworkInterfaceAddress", {"address": {"href": address}})
    interface_address = provider.read(made.url)
    expect(
        (interface_address.get("address") or {}).get("href") == address,
        f"address is {interface_address.get('address')}",
    )
    expect(provider.read(address).get("resource"), "the Address does not say who uses it")
    provider.delete(made.url)
    expect(
        not provider.read(address).get("resource"), f"the Address still has {provider.read(address).get('resource')}"
    )
