"""Resources that several families of checks use: taken as the provider has them, or created once in each format."""

from __future__ import annotations

from typing import Any

from conformance import vocabulary as words
from conformance.outcomes import NotOffered
from conformance.provider import Creation, Provider, fixture
from conformance.wire import Document

CPU, MEMORY = 1, 131072
"""Size of the Machines that are created; memory in KiB, 128 MiB."""
CAPACITY = 10_000
"""Kilobytes of the Volumes that are created."""
NAMES = ("alpha", "bravo", "charlie", "delta", "Echo")


def configuration_for(provider: Provider, owner: str, content: Document) -> Document:
    """Return a configuration for a template of ``owner``: by value where the provider takes that, else by reference.

    What is referred to is the first configuration that is listed, or a new one with this content.
    """
    if provider.has_capability(owner, f"{owner}ConfigByValue"):
        return content
    entry = f"{owner[0].lower()}{owner[1:]}Configs"
    configurations = provider.all_items(provider.collection(entry))
    first = configurations[0] if configurations else provider.new_resource(entry, f"{owner}Configuration", content)
    return {"href": first["id"]}


# Resources that cost little


@fixture
def five_configurations(provider: Provider) -> list[Document]:
    """Create five MachineConfigurations that differ in name, cpu, memory and properties."""
    url = provider.collection("machineConfigs")
    made = []
    for number, name in enumerate(NAMES, 1):
        content: Document = {
            "name": f"{provider.mark}-{name}",
            "description": "even" if number % 2 == 0 else "odd",
            "properties": {"mark": provider.mark, "colour": "red" if number < 4 else "blue"},
            "cpu": number,
            "memory": MEMORY * (6 - number),
        }
        made.append(provider.read(provider.create(url, "MachineConfiguration", content).url))
    return made


@fixture
def two_meter_configurations(provider: Provider) -> list[Document]:
    """Create two MeterConfigurations: the one continuous, the other not."""
    url = provider.collection("meterConfigs")
    return [
        provider.read(
            provider.create(
                url,
                "MeterConfiguration",
                {
                    "name": provider.new_name("flag"),
                    "aspect": f"{words.NAMESPACE}/aspect/cpu",
                    "units": "percent",
                    "timeScope": "Point",
                    "isContinuous": value,
                    "properties": {"mark": provider.mark},
                },
            ).url
        )
        for value in (True, False)
    ]


def cheap_resource(provider: Provider, **content: Any) -> Document:
    """Create a resource to be edited and deleted: a MachineConfiguration, an AddressTemplate or a VolumeConfiguration.

    Raises NotOffered when none of them can be created.
    """
    for entry, kind, own in (
        ("machineConfigs", "MachineConfiguration", {"cpu": 1, "memory": MEMORY}),
        ("addressTemplates", "AddressTemplate", {"protocol": "IPv4"}),
        ("volumeConfigs", "VolumeConfiguration", {"type": f"{words.NAMESPACE}/mapped", "capacity": CAPACITY}),
    ):
        if provider.offers(entry) and provider.operation(
            provider.read(provider.collection(entry), ("$last", "1")), "add"
        ):
            return provider.new_resource(entry, kind, {**own, **content})
    raise NotOffered("neither configurations nor templates can be created here")


def kind_of(document: Document) -> str:
    """Return the type of a document, by its resourceURI."""
    return words.type_name(document.get("resourceURI"))


# Machines


@fixture
def image(provider: Provider) -> str:
    """Return the URI of an image that Machines can be made from. Raises NotOffered when there is none."""
    if provider.options.image:
        return provider.options.image
    if provider.options.image_location:
        content = {"type": "IMAGE", "imageLocation": provider.options.image_location}
        return str(provider.new_resource("machineImages", "MachineImage", content)["id"])
    for item in provider.all_items(provider.collection("machineImages")):
        is_usable = item.get("state", "AVAILABLE") == "AVAILABLE" and item.get("type", "IMAGE") == "IMAGE"
        if is_usable and not str(item.get("name", "")).startswith("conformance-"):
            return str(item["id"])
    raise NotOffered("there is no AVAILABLE MachineImage: name one with --image or --image-location")


def configuration(provider: Provider) -> Document:
    """Return a configuration of small Machines, by value or by reference."""
    content = {"cpu": CPU, "memory": MEMORY}
    if provider.has_capability("Machine", "MachineConfigByValue"):
        return content
    listed = provider.all_items(provider.collection("machineConfigs"))
    sized = [entry for entry in listed if isinstance(entry.get("memory"), int)]
    if sized:
        return {"href": min(sized, key=lambda entry: int(entry["memory"]))["id"]}
    return {"href": provider.new_resource("machineConfigs", "MachineConfiguration", content)["id"]}


def template(provider: Provider, **more: Any) -> Document:
    """Return a MachineTemplate for MachineCreate, by value or by reference."""
    if provider.options.template:
        return {"href": provider.options.template, **more}
    return {"machineConfig": configuration(provider), "machineImage": {"href": image(provider)}, **more}


def initial_states(provider: Provider) -> list[str]:
    """Return the states that a new Machine may be in, as the capability names them."""
    value = provider.capability("Machine", "InitialStates")
    return [word.strip() for word in str(value).split(",")] if value else []


def initially_stopped(provider: Provider) -> Document:
    """Return the members of a template by which a new Machine does not run, none where that cannot be said."""
    return {"initialState": "STOPPED"} if "STOPPED" in initial_states(provider) else {}


def new_machine(provider: Provider, **more: Any) -> Creation:
    """Create a Machine that does not run, with more members in its template."""
    content = {
        "name": provider.new_name("machine"),
        "machineTemplate": template(provider, **{**initially_stopped(provider), **more}),
    }
    return provider.create(provider.collection("machines"), "MachineCreate", content)


@fixture
def machine_made(provider: Provider) -> Creation:
    """Create the one Machine that most checks look at; it is off until the walk through its states."""
    content = {
        "name": f"{provider.mark}-machine",
        "description": "looked at by checks",
        "properties": {"mark": provider.mark},
        "machineTemplate": template(provider, **initially_stopped(provider)),
    }
    return provider.create(provider.collection("machines"), "MachineCreate", content)


def machine(provider: Provider) -> Document:
    """Read the Machine that most checks look at, as it is now."""
    return provider.read(machine_made(provider).url)


# Volumes, networks, monitoring


def volume_template(provider: Provider, capacity: int = CAPACITY, **more: Any) -> Document:
    """Return a VolumeTemplate by value, of so many kilobytes."""
    content = {"type": f"{words.NAMESPACE}/mapped", "capacity": capacity}
    return {"volumeConfig": configuration_for(provider, "Volume", content), **more}


@fixture
def volume_made(provider: Provider) -> Creation:
    """Create the Volume that most checks look at."""
    content = {
        "name": f"{provider.mark}-volume",
        "description": "looked at by checks",
        "properties": {"mark": provider.mark},
        "volumeTemplate": volume_template(provider),
    }
    return provider.create(provider.collection("volumes"), "VolumeCreate", content)


def volume(provider: Provider) -> Document:
    """Read the Volume that most checks look at, as it is now."""
    return provider.read(volume_made(provider).url)


def network_template(provider: Provider, **more: Any) -> Document:
    """Return a NetworkTemplate by value, of a PRIVATE Network."""
    return {"networkConfig": configuration_for(provider, "Network", {"networkType": "PRIVATE"}), **more}


@fixture
def network_made(provider: Provider) -> Creation:
    """Create the Network that most checks look at, and remember its first state."""
    content = {"name": f"{provider.mark}-network", "networkTemplate": network_template(provider)}
    made = provider.create(provider.collection("networks"), "NetworkCreate", content)
    provider.once("network at first", lambda: provider.read(made.url).get("state"))
    return made


def network(provider: Provider) -> Document:
    """Read the Network that most checks look at, as it is now."""
    return provider.read(network_made(provider).url)


@fixture
def port_made(provider: Provider) -> Creation:
    """Create the NetworkPort that the checks look at, on their Network."""
    config = configuration_for(provider, "NetworkPort", {"portType": "ACCESS"})
    url = provider.collection("networkPorts")
    content = {
        "name": f"{provider.mark}-port",
        "networkPortTemplate": {"network": {"href": network(provider)["id"]}, "networkPortConfig": config},
    }
    return provider.create(url, "NetworkPortCreate", content)


@fixture
def address_made(provider: Provider) -> Creation:
    """Create the Address that the checks look at, of their Network."""
    url = provider.collection("addresses")
    content = {"name": f"{provider.mark}-address", "addressTemplate": {"network": {"href": network(provider)["id"]}}}
    return provider.create(url, "AddressCreate", content)


@fixture
def group_made(provider: Provider) -> Creation:
    """Create the ForwardingGroup that the checks look at, of their Network."""
    url = provider.collection("forwardingGroups")
    content = {
        "name": f"{provider.mark}-group",
        "forwardingGroupTemplate": {"networks": [{"href": network(provider)["id"]}]},
    }
    return provider.create(url, "ForwardingGroupCreate", content)


@fixture
def metered_resource(provider: Provider) -> tuple[Document, Document]:
    """Return a resource with meters, and a MeterConfiguration that applies to its type."""
    configurations = provider.all_items(provider.collection("meterConfigs"))
    for kind, target in (("Machine", machine), ("Volume", volume), ("Network", network)):
        fitting = [entry for entry in configurations if kind in types_of(entry)]
        # Of what a Machine that is off takes of the disk there are samples too.
        fitting.sort(key=lambda entry: not str(entry.get("aspect")).endswith("/disk"))
        if fitting and provider.offers(f"{kind.lower()}s"):
            return target(provider), fitting[0]
    raise NotOffered("no MeterConfiguration says that it applies to Machines, Volumes or Networks")


def types_of(configuration: Document) -> list[str]:
    """Return the types that a MeterConfiguration applies to."""
    types = configuration.get("associatedTo") or []
    return [words.type_name(entry.get("href") if isinstance(entry, dict) else entry) for entry in types]


@fixture
def meter_made(provider: Provider) -> Creation:
    """Create the Meter that the checks look at."""
    url = provider.collection("meters")
    target, config = metered_resource(provider)
    content = {
        "name": f"{provider.mark}-meter",
        "meterTemplate": {"targetResource": {"href": target["id"]}, "meterConfig": {"href": config["id"]}},
    }
    return provider.create(url, "MeterCreate", content)


def meter(provider: Provider) -> Document:
    """Read the Meter that the checks look at, as it is now."""
    return provider.read(meter_made(provider).url)


@fixture
def credential_made(provider: Provider) -> Creation:
    """Create the Credential that the checks look at."""
    content = {
        "name": f"{provider.mark}-credential",
        "credentialTemplate": {"userName": "conformance", "password": "a-password-for-checks"},
    }
    return provider.create(provider.collection("credentials"), "CredentialCreate", content)


@fixture
def event_log(provider: Provider) -> Document:
    """Read an EventLog: that of the Machine or the Volume, else the first that is listed."""
    for target in (machine_made, volume_made):
        try:
            reference = provider.read(target(provider).url).get("eventLog")
        except NotOffered:
            continue
        if isinstance(reference, dict):
            return provider.read(str(reference["href"]))
    listed = provider.all_items(provider.collection("eventLogs"))
    if not listed:
        raise NotOffered("there is no EventLog")
    return listed[0]
