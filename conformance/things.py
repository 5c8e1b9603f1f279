"""What several families of checks work with: found at the provider, or made once in each format."""

from __future__ import annotations

from typing import Any

from conformance import vocabulary as words
from conformance.outcomes import NotOffered
from conformance.wire import Document
from conformance.world import Made, World, fact

CPU, MEMORY = 1, 131072
"""Of the Machines that are made: 128 MiB."""
CAPACITY = 10_000
"""Kilobytes of the Volumes that are made."""
NAMES = ("alpha", "bravo", "charlie", "delta", "Echo")


def by_value(world: World, owner: str, capability: str, content: Document, entry: str, kind: str) -> Document:
    """A configuration by value where the provider takes that, else a reference to one that is there or is made."""
    if world.has(owner, capability):
        return content
    found = world.everything(world.collection(entry))
    return {"href": (found[0] if found else world.made(entry, kind, content))["id"]}


# Cheap things, to ask questions about


@fact
def five(world: World) -> list[Document]:
    """Five MachineConfigurations that differ in name, cpu, memory and properties."""
    url = world.collection("machineConfigs")
    made = []
    for number, name in enumerate(NAMES, 1):
        content: Document = {
            "name": f"{world.mark}-{name}",
            "description": "even" if number % 2 == 0 else "odd",
            "properties": {"mark": world.mark, "colour": "red" if number < 4 else "blue"},
            "cpu": number,
            "memory": MEMORY * (6 - number),
        }
        made.append(world.read(world.make(url, "MachineConfiguration", content).url))
    return made


@fact
def flags(world: World) -> list[Document]:
    """Two MeterConfigurations: the one continuous, the other not."""
    url = world.collection("meterConfigs")
    return [
        world.read(
            world.make(
                url,
                "MeterConfiguration",
                {
                    "name": world.name("flag"),
                    "aspect": f"{words.NAMESPACE}/aspect/cpu",
                    "units": "percent",
                    "timeScope": "Point",
                    "isContinuous": value,
                    "properties": {"mark": world.mark},
                },
            ).url
        )
        for value in (True, False)
    ]


def record(world: World, **content: Any) -> Document:
    """A new resource that costs nothing, to be edited and deleted: a MachineConfiguration, else a template."""
    for entry, kind, own in (
        ("machineConfigs", "MachineConfiguration", {"cpu": 1, "memory": MEMORY}),
        ("addressTemplates", "AddressTemplate", {"protocol": "IPv4"}),
        ("volumeConfigs", "VolumeConfiguration", {"type": f"{words.NAMESPACE}/mapped", "capacity": CAPACITY}),
    ):
        if world.offers(entry) and world.operation(world.read(world.collection(entry), ("$last", "1")), "add"):
            return world.made(entry, kind, {**own, **content})
    raise NotOffered("neither configurations nor templates can be created here")


def kind_of(document: Document) -> str:
    return words.type_name(document.get("resourceURI"))


# Machines


@fact
def image(world: World) -> str:
    """URI of an image that Machines can be made from."""
    if world.options.image:
        return world.options.image
    if world.options.image_location:
        content = {"type": "IMAGE", "imageLocation": world.options.image_location}
        return str(world.made("machineImages", "MachineImage", content)["id"])
    for found in world.everything(world.collection("machineImages")):
        usable = found.get("state", "AVAILABLE") == "AVAILABLE" and found.get("type", "IMAGE") == "IMAGE"
        if usable and not str(found.get("name", "")).startswith("conformance-"):
            return str(found["id"])
    raise NotOffered("there is no AVAILABLE MachineImage: name one with --image or --image-location")


def configuration(world: World) -> Document:
    """Of small Machines."""
    content = {"cpu": CPU, "memory": MEMORY}
    if world.has("Machine", "MachineConfigByValue"):
        return content
    found = world.everything(world.collection("machineConfigs"))
    known = [entry for entry in found if isinstance(entry.get("memory"), int)]
    if known:
        return {"href": min(known, key=lambda entry: int(entry["memory"]))["id"]}
    return {"href": world.made("machineConfigs", "MachineConfiguration", content)["id"]}


def template(world: World, **more: Any) -> Document:
    """A MachineTemplate for MachineCreate, by value or by reference."""
    if world.options.template:
        return {"href": world.options.template, **more}
    return {"machineConfig": configuration(world), "machineImage": {"href": image(world)}, **more}


def initial_states(world: World) -> list[str]:
    value = world.capability("Machine", "InitialStates")
    return [word.strip() for word in str(value).split(",")] if value else []


def off(world: World) -> Document:
    """Members of a template by which a new Machine does not run, where that can be said."""
    return {"initialState": "STOPPED"} if "STOPPED" in initial_states(world) else {}


def new_machine(world: World, **more: Any) -> Made:
    content = {"name": world.name("machine"), "machineTemplate": template(world, **{**off(world), **more})}
    return world.make(world.collection("machines"), "Machine" + "Create", content)


@fact
def created(world: World) -> Made:
    """The create of the one Machine that most checks look at; it is off until the walk through its states."""
    content = {
        "name": f"{world.mark}-machine",
        "description": "looked at by checks",
        "properties": {"mark": world.mark},
        "machineTemplate": template(world, **off(world)),
    }
    return world.make(world.collection("machines"), "MachineCreate", content)


def machine(world: World) -> Document:
    """The same, as it is now."""
    return world.read(created(world).url)


# Volumes, networks, monitoring


def volume_template(world: World, capacity: int = CAPACITY, **more: Any) -> Document:
    content = {"type": f"{words.NAMESPACE}/mapped", "capacity": capacity}
    config = by_value(world, "Volume", "VolumeConfigByValue", content, "volumeConfigs", "VolumeConfiguration")
    return {"volumeConfig": config, **more}


@fact
def volume_made(world: World) -> Made:
    content = {
        "name": f"{world.mark}-volume",
        "description": "looked at by checks",
        "properties": {"mark": world.mark},
        "volumeTemplate": volume_template(world),
    }
    return world.make(world.collection("volumes"), "VolumeCreate", content)


def volume(world: World) -> Document:
    return world.read(volume_made(world).url)


def network_template(world: World, **more: Any) -> Document:
    content = {"networkType": "PRIVATE"}
    config = by_value(world, "Network", "NetworkConfigByValue", content, "networkConfigs", "NetworkConfiguration")
    return {"networkConfig": config, **more}


@fact
def network_made(world: World) -> Made:
    content = {"name": f"{world.mark}-network", "networkTemplate": network_template(world)}
    made = world.make(world.collection("networks"), "NetworkCreate", content)
    world.once("network at first", lambda: world.read(made.url).get("state"))
    return made


def network(world: World) -> Document:
    return world.read(network_made(world).url)


@fact
def port_made(world: World) -> Made:
    config = by_value(
        world, "NetworkPort", "NetworkPortConfigByValue", {"portType": "ACCESS"}, "networkPortConfigs",
        "NetworkPortConfiguration",
    )  # fmt: skip
    url = world.collection("networkPorts")
    content = {
        "name": f"{world.mark}-port",
        "networkPortTemplate": {"network": {"href": network(world)["id"]}, "networkPortConfig": config},
    }
    return world.make(url, "NetworkPortCreate", content)


@fact
def address_made(world: World) -> Made:
    url = world.collection("addresses")
    content = {"name": f"{world.mark}-address", "addressTemplate": {"network": {"href": network(world)["id"]}}}
    return world.make(url, "AddressCreate", content)


@fact
def group_made(world: World) -> Made:
    url = world.collection("forwardingGroups")
    content = {
        "name": f"{world.mark}-group",
        "forwardingGroupTemplate": {"networks": [{"href": network(world)["id"]}]},
    }
    return world.make(url, "ForwardingGroupCreate", content)


@fact
def metered(world: World) -> tuple[Document, Document]:
    """A resource with meters, and a MeterConfiguration that applies to its type."""
    configurations = world.everything(world.collection("meterConfigs"))
    for kind, target in (("Machine", machine), ("Volume", volume), ("Network", network)):
        fitting = [entry for entry in configurations if kind in types_of(entry)]
        # Of what a Machine that is off takes of the disk there are samples too.
        fitting.sort(key=lambda entry: not str(entry.get("aspect")).endswith("/disk"))
        if fitting and world.offers(f"{kind.lower()}s"):
            return target(world), fitting[0]
    raise NotOffered("no MeterConfiguration says that it applies to Machines, Volumes or Networks")


def types_of(configuration: Document) -> list[str]:
    found = configuration.get("associatedTo") or []
    return [words.type_name(entry.get("href") if isinstance(entry, dict) else entry) for entry in found]


@fact
def meter_made(world: World) -> Made:
    url = world.collection("meters")
    target, config = metered(world)
    content = {
        "name": f"{world.mark}-meter",
        "meterTemplate": {"targetResource": {"href": target["id"]}, "meterConfig": {"href": config["id"]}},
    }
    return world.make(url, "MeterCreate", content)


def meter(world: World) -> Document:
    return world.read(meter_made(world).url)


@fact
def credential_made(world: World) -> Made:
    content = {
        "name": f"{world.mark}-credential",
        "credentialTemplate": {"userName": "conformance", "password": "a-password-for-checks"},
    }
    return world.make(world.collection("credentials"), "CredentialCreate", content)


@fact
def log(world: World) -> Document:
    """An EventLog: that of the Machine or the Volume, else the first that is listed."""
    for target in (created, volume_made):
        try:
            found = world.read(target(world).url).get("eventLog")
        except NotOffered:
            continue
        if isinstance(found, dict):
            return world.read(str(found["href"]))
    listed = world.everything(world.collection("eventLogs"))
    if not listed:
        raise NotOffered("there is no EventLog")
    return listed[0]
