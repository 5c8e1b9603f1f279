"""Jobs that fail at their last steps, so that what was done is undone by what the plan says."""

from __future__ import annotations

from typing import Any

from tests.api import systems
from tests.api.networks import DEFAULT_NETWORK
from tests.golden.scenarios_of_networks import address, network
from tests.golden.scenarios_of_storage import volume
from tests.golden.stage import BASE, Stage


async def undone_creates(stage: Stage) -> None:
    """Of Machines: with Volumes of each kind, Addresses and disks; by themselves, and in a System."""
    client, image = stage.operator, await stage.image()
    where = await stage.make("networks", network(1))
    held = await stage.make("addresses", address(where, hostname="web"))
    old = await stage.make("volumes", volume())
    place = {"imageLocation": f"file://{stage.home / 'images' / 'guest.qcow2'}"}
    machine = client.machine(
        image,
        machineConfig={"cpu": 1, "memory": 131072, "disks": [{"capacity": 40_000}, {"capacity": 6000}]},
        volumes=[{"href": old}],
        volumeTemplates=[
            {"volumeConfig": {"capacity": 40_000}, "initialLocation": "/dev/vdx"},
            {"volumeConfig": {"capacity": 40_000, "format": "ext4"}, "initialLocation": "/dev/vdy"},
            {"volumeConfig": {"capacity": 40_000}, "volumeImage": place, "initialLocation": "/dev/vdz"},
        ],
        networkInterfaces=[{"network": {"href": where}, "addresses": [{"href": held}, {"ip": "10.113.1.50"}]}],
    )
    await stage.undone("domains.start", client.post("machines", machine))
    parts = [systems.network(), systems.volume(), systems.machine(image, networkInterfaces=systems.on("front"))]
    await stage.undone("domains.start", client.post("systems", systems.system(*parts)))
    await stage.undone("domains.define", client.act("systems", "import", source=stage.world.package()))


async def undone_changes(stage: Stage) -> None:
    """Of Machines: actions, edits, disks, Volumes, and what is deleted."""
    client = stage.operator
    machine = await stage.machine(await stage.image())
    for verb, method in (("pause", "domains.pause"), ("suspend", "domains.save"), ("stop", "domains.request_shutdown")):
        await stage.undone(method, client.act(machine, verb))
    await stage.undone("domains.power_off", client.act(machine, "stop", force=True))
    await stage.undone("domains.describe", client.put(f"{machine}?$select=name", {"name": "other"}))
    await stage.undone("devices.attach_disk", client.post(f"{machine}/disks", {"capacity": 1000}))
    disk = await stage.make(f"{machine}/disks", {"capacity": 1000})
    await stage.undone("devices.detach_disk", client.delete(disk))
    used = await stage.make("volumes", volume())
    await stage.undone("devices.attach_disk", client.post(f"{machine}/volumes", {"volume": {"href": used}}))
    attachment = await stage.make(f"{machine}/volumes", {"volume": {"href": used}})
    await stage.undone("devices.detach_disk", client.delete(attachment))
    await stage.act(machine, "stop", force=True)
    await stage.undone("domains.start", client.act(machine, "start"))
    await stage.undone("domains.resize", client.put(f"{machine}?$select=cpu", {"cpu": 2}))
    await stage.undone("storage.grow_volume", client.put(f"{machine}/disks/vda?$select=capacity", {"capacity": 90_000}))
    await stage.undone("domains.undefine", client.delete(machine))


async def undone_snapshots(stage: Stage) -> None:
    client, image = stage.operator, await stage.image()
    machine = await stage.machine(image)
    await stage.undone("domains.start", client.act(machine, "restore", image=image))
    await stage.act(machine, "start")
    await stage.undone("snapshots.take", client.post(f"{machine}/snapshot", {}))
    await stage.undone("copies.make", client.post(f"{machine}/capture", {}))
    first = await stage.make(f"{machine}/snapshot", {"name": "first"})
    await stage.undone("snapshots.revert", client.act(machine, "restore", image=first))
    await stage.undone("snapshots.delete", client.delete(first))
    await stage.act(machine, "stop", force=True)
    await stage.undone("storage.clone_volume", client.post(f"{machine}/capture", {}))


async def undone_storage(stage: Stage) -> None:
    client = stage.operator
    stage.files.ranges = False
    remote = {"imageLocation": f"{stage.files.url}/guest.qcow2"}
    await stage.undone("storage.upload_volume", client.post("machineImages", remote))
    await stage.undone("storage.create_volume", client.post("volumes", volume()))
    await stage.undone("storage.upload_volume", client.post("volumes", volume(volumeImage=remote)))
    formatted = {"capacity": 40_000, "format": "ext4"}
    await stage.undone("storage.upload_volume", client.post("volumes", volume(volumeConfig=formatted)))
    kept = await stage.make("volumes", volume())
    await stage.undone("storage.clone_volume", client.post(f"{kept}/snapshot", {}))
    await stage.undone("storage.grow_volume", client.put(f"{kept}?$select=capacity", {"capacity": 80_000}))
    await stage.undone("storage.delete_volume", client.delete(kept))


async def undone_networks(stage: Stage) -> None:
    client = stage.operator
    grouped: dict[str, Any] = {"forwardingGroupTemplate": {"networks": []}}
    group = await stage.make("forwardingGroups", grouped)
    await stage.undone("networks.start", client.post("networks", network(1, forwardingGroup={"href": group})))
    first, second = [await stage.make("networks", network(number)) for number in (2, 3)]
    of_two = {"forwardingGroupTemplate": {"networks": [{"href": first}, {"href": second}]}}
    await stage.undone("filters.define", client.post("forwardingGroups", of_two))
    await stage.undone("filters.define", client.post(f"{group}/networks", {"network": {"href": first}}))
    await stage.undone("networks.stop", client.act(first, "stop"))
    await stage.undone("networks.delete", client.delete(second))
    await stage.undone("networks.reserve_host", client.post("addresses", address(first, hostname="web")))
    named = await stage.make("addresses", address(first, hostname="web"))
    await stage.undone("networks.reserve_host", client.put(f"{named}?$select=hostname", {"hostname": "db"}))
    await stage.undone("addresses.take", client.post("addresses", address(BASE + DEFAULT_NETWORK, ip="192.168.122.77")))
    machine = await stage.machine(await stage.image(), networkInterfaces=[{"network": {"href": first}}])
    at = f"{machine}/networkInterfaces"
    await stage.undone("networks.reserve_host", client.post(f"{at}/0/addresses", {"address": {"href": named}}))
    addressed = {"network": {"href": first}, "addresses": [{"href": named}]}
    await stage.undone("devices.attach_interface", client.post(at, addressed))
    await stage.undone("devices.update_interface", client.put(f"{at}/0?$select=state", {"state": "Passive"}))
    await stage.undone("devices.detach_interface", client.delete(f"{at}/0"))


async def undone_exports(stage: Stage) -> None:
    await stage.act("systems", "import", source=stage.world.package())
    [system] = await stage.listed("systems")
    await stage.undone("storage.clone_volume", stage.operator.act(system["id"], "export", destination="out.ova"))


UNDOING = {
    play.__name__: play
    for play in (undone_creates, undone_changes, undone_snapshots, undone_storage, undone_networks, undone_exports)
}
