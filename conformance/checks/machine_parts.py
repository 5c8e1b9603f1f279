"""Disks, volumes and network interfaces of a Machine that is off."""

from __future__ import annotations

from conformance import things
from conformance import vocabulary as words
from conformance.checks.machine_states import walk
from conformance.outcomes import NotOffered, expect
from conformance.registry import check
from conformance.wire import Document
from conformance.world import Made, World, fact


def _collection(world: World, name: str, owner: Document | None = None) -> str:
    """URI of a nested collection of the Machine."""
    if owner is None:
        walk(world)
        owner = things.machine(world)
    found = owner.get(name)
    if not isinstance(found, dict):
        raise NotOffered(f"Machines have no {name}")
    return str(found["href"])


# Disks


@check("disk-has-capacity")
def disk_has_capacity(world: World) -> None:
    disks = world.listed(_collection(world, "disks"))
    if not disks:
        raise NotOffered("the Machine has no disks")
    expect(all(isinstance(disk.get("capacity"), int) for disk in disks), f"a disk is {disks[0]}")


@fact
def disk(world: World) -> Made:
    return world.make(_collection(world, "disks"), "Disk", {"capacity": 20_000})


@check("disk-add")
def disk_add(world: World) -> None:
    found = world.read(disk(world).url)
    expect(int(found.get("capacity", 0)) >= 20_000, f"of 20000 kB it has {found.get('capacity')}")
    ids = [item.get("id") for item in world.listed(_collection(world, "disks"))]
    expect(disk(world).url in ids, "it is not listed")


@check("disk-delete")
def disk_delete(world: World) -> None:
    url = disk(world).url
    world.demanded(world.read(url), "delete")
    world.removed(url)
    ids = [item.get("id") for item in world.listed(_collection(world, "disks"))]
    expect(url not in ids and world.gone(url), "it is still there")


# Volumes


@fact
def attached(world: World) -> Made:
    content = {"volume": {"href": things.volume(world)["id"]}, "initialLocation": "/dev/vdf"}
    return world.make(_collection(world, "volumes"), "MachineVolume", content)


@check("machine-volume-attach")
def machine_volume_attach(world: World) -> None:
    found = world.read(attached(world).url)
    expect((found.get("volume") or {}).get("href") == things.volume(world)["id"], f"volume is {found.get('volume')}")
    ids = [item.get("id") for item in world.listed(_collection(world, "volumes"))]
    expect(attached(world).url in ids, "it is not listed")


@check("machine-volume-has-its-own-id")
def machine_volume_has_its_own_id(world: World) -> None:
    found = world.read(attached(world).url)
    expect(found.get("id") != things.volume(world)["id"], "it has the Volume's id")
    expect(world.wire.absolute(str(found.get("id"))) == attached(world).url, f"its id is {found.get('id')}")


@check("machine-volume-not-shared")
def machine_volume_not_shared(world: World) -> None:
    if world.has("Volume", "SharedVolumeSupport"):
        raise NotOffered("Volumes may be shared here")
    first = attached(world)
    answer = world.add(_collection(world, "volumes"), "MachineVolume", {"volume": {"href": things.volume(world)["id"]}})
    # Nothing is shared when the answer is about the connection that is there.
    there = answer.status == 200 and answer.location == first.url
    expect(there or 400 <= answer.status < 500, f"a second connection was answered {answer.told()}")


@check("machine-volume-detach")
def machine_volume_detach(world: World) -> None:
    url = attached(world).url
    world.removed(url)
    expect(world.gone(url), "it can still be read")
    expect(things.volume(world).get("id"), "the Volume is gone")


@check("machine-volume-of-nothing")
def machine_volume_of_nothing(world: World) -> None:
    answer = world.add(_collection(world, "volumes"), "MachineVolume", {"initialLocation": "/dev/vdg"})
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")


# Interfaces


@fact
def connected(world: World) -> Document:
    """A Machine with one interface, on a Network of this run."""
    network = things.network(world)["id"]
    return world.read(things.new_machine(world, networkInterfaces=[{"network": {"href": network}}]).url)


@fact
def interface(world: World) -> Document:
    found = world.listed(_collection(world, "networkInterfaces", connected(world)))
    expect(found, "the Machine has no interface")
    return world.read(str(found[0]["id"]))


@check("machine-network-interface-refers")
def machine_network_interface_refers(world: World) -> None:
    found = interface(world)
    expect(isinstance(found.get("network"), dict), f"network is {found.get('network')}")
    addresses = found.get("addresses")
    expect(isinstance(addresses, dict), f"addresses is {addresses}")
    document = world.read(str((addresses or {})["href"]))
    wanted = words.type_uri("MachineNetworkInterfaceAddressCollection")
    expect(document.get("resourceURI") == wanted, f"addresses is a {document.get('resourceURI')}")


@check("machine-network-interface-of-the-template")
def machine_network_interface_of_the_template(world: World) -> None:
    found = (interface(world).get("network") or {}).get("href")
    expect(found == things.network(world)["id"], f"it is on {found}")


@check("machine-network-interface-add")
def machine_network_interface_add(world: World) -> None:
    url = _collection(world, "networkInterfaces", connected(world))
    made = world.make(url, "MachineNetworkInterface", {"network": {"href": things.network(world)["id"]}})
    expect(made.url in [item.get("id") for item in world.listed(url)], "it is not listed")
    world.removed(made.url)
    expect(made.url not in [item.get("id") for item in world.listed(url)], "it is still listed")


@check("machine-network-interface-address-add")
def machine_network_interface_address_add(world: World) -> None:
    address = things.address_made(world).url
    url = _collection(world, "addresses", interface(world))
    made = world.make(url, "MachineNetworkInterfaceAddress", {"address": {"href": address}})
    found = world.read(made.url)
    expect((found.get("address") or {}).get("href") == address, f"address is {found.get('address')}")
    expect(world.read(address).get("resource"), "the Address does not say who uses it")
    world.removed(made.url)
    expect(not world.read(address).get("resource"), f"the Address still has {world.read(address).get('resource')}")
