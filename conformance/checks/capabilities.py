"""What a capability that is true promises to do."""

from __future__ import annotations

from conformance import things
from conformance.checks.machine_images import captured
from conformance.checks.machines import from_volume_templates
from conformance.outcomes import NotOffered, expect
from conformance.registry import check
from conformance.world import World

LARGE = 1_000_000
"""Kilobytes of a Volume that any image for this has room in."""


@check("promise-machine-config-by-value")
def promise_machine_config_by_value(world: World) -> None:
    world.demand_capability("Machine", "MachineConfigByValue")
    url = things.new_machine(world, machineConfig={"cpu": 2, "memory": things.MEMORY}).url
    cpu = world.read(url).get("cpu")
    world.removed(url)
    expect(cpu == 2, f"cpu is {cpu}")


@check("promise-machine-credential-by-value")
def promise_machine_credential_by_value(world: World) -> None:
    world.demand_capability("Machine", "MachineCredentialByValue")
    credential = {"userName": "conformance", "password": "a-password-for-checks"}
    world.removed(things.new_machine(world, credential=credential).url)


@check("promise-machine-image-by-value")
def promise_machine_image_by_value(world: World) -> None:
    world.demand_capability("Machine", "MachineImageByValue")
    if not world.options.image_location:
        raise NotOffered("say where an image lies with --image-location")
    image = {"type": "IMAGE", "imageLocation": world.options.image_location}
    world.removed(things.new_machine(world, machineImage=image).url)


@check("promise-machine-volume-templates-by-value")
def promise_machine_volume_templates_by_value(world: World) -> None:
    volumes = from_volume_templates(world)[1]
    expect(len(volumes) == 1, f"of one Volume it has {len(volumes)}")


@check("promise-restore-from-image")
def promise_restore_from_image(world: World) -> None:
    world.demand_capability("Machine", "RestoreFromImage")
    image, _before, _after = captured(world)
    before = things.machine(world)
    answer = world.act(before, "restore", image={"href": image["id"]})
    expect(answer.good, f"it was answered {answer.told()}")
    world.finish(answer)
    state = things.machine(world).get("state")
    expect(state == before.get("state"), f"it was {before.get('state')} and is {state}")


@check("promise-volume-config-by-value")
def promise_volume_config_by_value(world: World) -> None:
    world.demand_capability("Volume", "VolumeConfigByValue")
    expect(things.volume(world).get("state") == "AVAILABLE", "it was not made")


@check("promise-volume-image-by-value")
def promise_volume_image_by_value(world: World) -> None:
    world.demand_capability("Volume", "VolumeImageByValue")
    if not world.options.image_location:
        raise NotOffered("say where an image lies with --image-location")
    image = {"imageLocation": world.options.image_location}
    content = {
        "name": world.name("volume"),
        "volumeTemplate": things.volume_template(world, LARGE, volumeImage=image),
    }
    world.removed(world.make(world.collection("volumes"), "VolumeCreate", content).url)


@check("promise-shared-volume-support")
def promise_shared_volume_support(world: World) -> None:
    world.demand_capability("Volume", "SharedVolumeSupport")
    content = {"name": world.name("volume"), "volumeTemplate": things.volume_template(world)}
    volume = world.make(world.collection("volumes"), "VolumeCreate", content).url
    for _ in range(2):
        machine = world.read(things.new_machine(world).url)
        world.make(str(machine["volumes"]["href"]), "MachineVolume", {"volume": {"href": volume}})


@check("promise-network-config-by-value")
def promise_network_config_by_value(world: World) -> None:
    world.demand_capability("Network", "NetworkConfigByValue")
    expect(things.network(world).get("state"), "it was not made")


@check("promise-network-port-config-by-value")
def promise_network_port_config_by_value(world: World) -> None:
    world.demand_capability("NetworkPort", "NetworkPortConfigByValue")
    expect(world.read(things.port_made(world).url).get("state"), "it was not made")


@check("promise-meter-config-by-value")
def promise_meter_config_by_value(world: World) -> None:
    world.demand_capability("Meter", "MeterConfigByValue")
    target, config = things.metered(world)
    kept = ("aspect", "units", "sampleInterval", "timeScope", "isContinuous")
    by_value = {name: config[name] for name in kept if name in config}
    template = {"targetResource": {"href": target["id"]}, "meterConfig": by_value}
    content = {"name": world.name("meter"), "meterTemplate": template}
    found = world.read(world.make(world.collection("meters"), "MeterCreate", content).url)
    expect(found.get("aspect") == config["aspect"], f"aspect is {found.get('aspect')}")
