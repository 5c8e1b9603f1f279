"""Machines: creates of every shape, every action, edits, snapshots, restores and captures."""

from __future__ import annotations

import base64
from dataclasses import replace

from drivers.base import Power
from tests.golden.stage import Stage

SMALL = {"cpu": 1, "memory": 131072}
KEY = {"userName": "ops", "password": "a-test-secret", "key": "ssh-ed25519 AAAA me@here"}


async def machine_creates(stage: Stage) -> None:
    """With disks, Volumes, a Credential, user data, interfaces and Addresses; and with none of these."""
    image = await stage.image()
    await stage.machine(image)
    credential = await stage.make("credentials", {"credentialTemplate": KEY})
    private = {"networkTemplate": {"networkConfig": {"networkType": "PRIVATE", "cidr": "10.113.7.0/24"}}}
    network = await stage.make("networks", private)
    own = {"addressTemplate": {"network": {"href": network}, "hostname": "web"}}
    addressed = [{"href": await stage.make("addresses", own)}, {"ip": "10.113.7.50"}]
    volume = await stage.make("volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 1000}}})
    await stage.machine(
        image,
        initialState="STOPPED",
        machineConfig={**SMALL, "disks": [{"capacity": 40_000}, {"capacity": 6000, "format": "ext4"}]},
        credential={"href": credential},
        userData=base64.b64encode(b"#cloud-config\n{}\n").decode(),
        volumes=[{"href": volume}],
        volumeTemplates=[{"volumeConfig": {"capacity": 2000}, "initialLocation": "/dev/vdx"}],
        networkInterfaces=[{"network": {"href": network}, "addresses": addressed}, {}],
    )
    formatted = [{"volumeConfig": {"capacity": 5000, "format": "vfat"}}]
    whole = await stage.machine(image, volumeTemplates=formatted)
    shared = await stage.make("addresses", {"addressTemplate": {"ip": "192.168.122.77"}})
    lodger = await stage.machine(image, networkInterfaces=[{"addresses": [{"href": shared}]}])
    await stage.delete(whole)
    await stage.delete(lodger)
    await stage.delete(shared)


async def machine_actions(stage: Stage) -> None:
    """Each from each state that makes other steps of it."""
    machine = await stage.machine(await stage.image())
    await stage.act(machine, "stop")
    await stage.act(machine, "start")
    await stage.act(machine, "stop", properties={"timeout": "30"})
    await stage.act(machine, "restart")
    await stage.act(machine, "restart", properties={"timeout": "30"})
    await stage.act(machine, "restart", force=True)
    await stage.act(machine, "pause")
    await stage.act(machine, "start")
    await stage.act(machine, "suspend")
    await stage.act(machine, "start")
    await stage.act(machine, "suspend")
    await stage.act(machine, "stop")
    await stage.act(machine, "start")
    await stage.act(machine, "stop", force=True)
    await stage.delete(machine)


async def machine_edits(stage: Stage) -> None:
    machine = await stage.machine(await stage.image())
    await stage.edit(machine, {"name": "other", "description": "of a Machine"})
    await stage.act(machine, "stop", force=True)
    await stage.edit(machine, {"cpu": 2, "memory": 262144})
    await stage.edit(machine, {"cpu": 1, "memory": 131072, "name": "again"})


async def machine_defined_again(stage: Stage) -> None:
    """Somebody undefines the domain while it runs."""
    machine = await stage.machine(await stage.image())
    identity = machine.rpartition("/")[2]
    stage.driver.state.domains[identity] = replace(stage.driver.state.domains[identity], persistent=False)
    stage.driver.externally(identity, Power.RUNNING)
    await stage.quiet()


async def machine_snapshots(stage: Stage) -> None:
    image = await stage.image()
    machine = await stage.machine(image)
    first = await stage.make(f"{machine}/snapshot", {"name": "first"})
    second = await stage.make(f"{machine}/snapshot", {"name": "second"})
    await stage.act(machine, "restore", image=first)
    await stage.make("machineImages", {"name": "third", "type": "SNAPSHOT", "imageLocation": machine})
    await stage.delete(second)
    await stage.act(machine, "stop", force=True)
    await stage.make(f"{machine}/snapshot", {"name": "off"})
    await stage.delete(machine)


async def machine_restores(stage: Stage) -> None:
    """From an image that is no snapshot: of a Machine that is off, and of one that runs."""
    image = await stage.image()
    machine = await stage.machine(image)
    await stage.act(machine, "restore", image=image)
    await stage.act(machine, "stop", force=True)
    await stage.act(machine, "restore", image=image)


async def machine_captures(stage: Stage) -> None:
    machine = await stage.machine(await stage.image())
    await stage.make(f"{machine}/capture", {"name": "of one that runs"})
    await stage.act(machine, "stop", force=True)
    captured = await stage.make("machineImages", {"type": "IMAGE", "imageLocation": machine})
    await stage.machine(captured)


async def disks(stage: Stage) -> None:
    machine = await stage.machine(await stage.image())
    disk = await stage.make(f"{machine}/disks", {"capacity": 1000})
    placed = await stage.make(f"{machine}/disks", {"capacity": 2000, "initialLocation": "/dev/vdk"})
    await stage.edit(disk, {"capacity": 90_000})
    await stage.edit(f"{machine}/disks/vda", {"capacity": 90_000})
    await stage.delete(disk)
    await stage.delete(placed)


async def attachments(stage: Stage) -> None:
    machine = await stage.machine(await stage.image())
    volumes = [await stage.make("volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 1000}}}) for _ in range(2)]
    first = await stage.make(f"{machine}/volumes", {"volume": {"href": volumes[0]}})
    await stage.make(f"{machine}/volumes", {"volume": {"href": volumes[1]}, "initialLocation": "/dev/vdh"})
    await stage.edit(volumes[0], {"capacity": 3000})
    await stage.delete(first)
    await stage.delete(machine)


MACHINES = {
    play.__name__: play
    for play in (
        machine_creates,
        machine_actions,
        machine_edits,
        machine_defined_again,
        machine_snapshots,
        machine_restores,
        machine_captures,
        disks,
        attachments,
    )
}
