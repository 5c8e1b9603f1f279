"""What a capability that is true promises to do."""

from __future__ import annotations

from conformance import fixtures
from conformance.checks.machine_images import captured
from conformance.checks.machines import from_volume_templates
from conformance.outcomes import NotOffered, expect
from conformance.provider import Provider
from conformance.registry import check

LARGE = 1_000_000
"""Kilobytes of a Volume that any image for this has room in."""


@check("promise-machine-config-by-value")
def promise_machine_config_by_value(provider: Provider) -> None:
    provider.demand_capability("Machine", "MachineConfigByValue")
    url = fixtures.new_machine(provider, machineConfig={"cpu": 2, "memory": fixtures.MEMORY}).url
    cpu = provider.read(url).get("cpu")
    provider.delete(url)
    expect(cpu == 2, f"cpu is {cpu}")


@check("promise-machine-credential-by-value")
def promise_machine_credential_by_value(provider: Provider) -> None:
    provider.demand_capability("Machine", "MachineCredentialByValue")
    credential = {"userName": "conformance", "password": "a-password-for-checks"}
    provider.delete(fixtures.new_machine(provider, credential=credential).url)


@check("promise-machine-image-by-value")
def promise_machine_image_by_value(provider: Provider) -> None:
    provider.demand_capability("Machine", "MachineImageByValue")
    if not provider.options.image_location:
        raise NotOffered("say where an image lies with --image-location")
    image = {"type": "IMAGE", "imageLocation": provider.options.image_location}
    provider.delete(fixtures.new_machine(provider, machineImage=image).url)


@check("promise-machine-volume-templates-by-value")
def promise_machine_volume_templates_by_value(provider: Provider) -> None:
    volumes = from_volume_templates(provider)[1]
    expect(len(volumes) == 1, f"of one Volume it has {len(volumes)}")


@check("promise-restore-from-image")
def promise_restore_from_image(provider: Provider) -> None:
    provider.demand_capability("Machine", "RestoreFromImage")
    image, _before, _after = captured(provider)
    before = fixtures.machine(provider)
    answer = provider.request_action(before, "restore", image={"href": image["id"]})
    expect(answer.good, f"it was answered {answer.summary}")
    provider.finish(answer)
    state = fixtures.machine(provider).get("state")
    expect(state == before.get("state"), f"it was {before.get('state')} and is {state}")


@check("promise-volume-config-by-value")
def promise_volume_config_by_value(provider: Provider) -> None:
    provider.demand_capability("Volume", "VolumeConfigByValue")
    expect(fixtures.volume(provider).get("state") == "AVAILABLE", "it was not made")


@check("promise-volume-image-by-value")
def promise_volume_image_by_value(provider: Provider) -> None:
    provider.demand_capability("Volume", "VolumeImageByValue")
    if not provider.options.image_location:
        raise NotOffered("say where an image lies with --image-location")
    image = {"imageLocation": provider.options.image_location}
    content = {
        "name": provider.new_name("volume"),
        "volumeTemplate": fixtures.volume_template(provider, LARGE, volumeImage=image),
    }
    provider.delete(provider.create(provider.collection("volumes"), "VolumeCreate", content).url)


@check("promise-shared-volume-support")
def promise_shared_volume_support(provider: Provider) -> None:
    provider.demand_capability("Volume", "SharedVolumeSupport")
    content = {"name": provider.new_name("volume"), "volumeTemplate": fixtures.volume_template(provider)}
    volume = provider.create(provider.collection("volumes"), "VolumeCreate", content).url
    for _ in range(2):
        machine = provider.read(fixtures.new_machine(provider).url)
        provider.create(str(machine["volumes"]["href"]), "MachineVolume", {"volume": {"href": volume}})


@check("promise-network-config-by-value")
def promise_network_config_by_value(provider: Provider) -> None:
    provider.demand_capability("Network", "NetworkConfigByValue")
    expect(fixtures.network(provider).get("state"), "it was not made")


@check("promise-network-port-config-by-value")
def promise_network_port_config_by_value(provider: Provider) -> None:
    provider.demand_capability("NetworkPort", "NetworkPortConfigByValue")
    expect(provider.read(fixtures.port_made(provider).url).get("state"), "it was not made")


@check("promise-meter-config-by-value")
def promise_meter_config_by_value(provider: Provider) -> None:
    provider.demand_capability("Meter", "MeterConfigByValue")
    target, config = fixtures.metered_resource(provider)
    kept = ("aspect", "units", "sampleInterval", "timeScope", "isContinuous")
    by_value = {name: config[name] for name in kept if name in config}
    template = {"targetResource": {"href": target["id"]}, "meterConfig": by_value}
    content = {"name": provider.new_name("meter"), "meterTemplate": template}
    meter = provider.read(provider.create(provider.collection("meters"), "MeterCreate", content).url)
    expect(meter.get("aspect") == config["aspect"], f"aspect is {meter.get('aspect')}")
