"""The Cloud Entry Point, ResourceMetadata, and whether capabilities are true."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from conformance import things, xml_form
from conformance import vocabulary as words
from conformance.looking import elements, hrefs, named, resources
from conformance.outcomes import NotOffered, expect
from conformance.registry import audit, check
from conformance.wire import Document, Exchange, kind_of
from conformance.world import World, fact

ORDER = ("id", "typeURI", "name", "attribute", "capability", "action", "operation")
TRANSIENT = ("CREATING", "STARTING", "STOPPING", "PAUSING", "SUSPENDING", "DELETING", "CAPTURING", "RESTORING")


@check("entry-point-base-uri")
def entry_point_base_uri(world: World) -> None:
    base = str(world.entry_point.get("baseURI", ""))
    expect(urlsplit(base).scheme and urlsplit(base).netloc, f"baseURI is {base or 'missing'}")
    relative = [uri for uri in hrefs(world.entry_point) if not urlsplit(uri).scheme]
    expect(base.endswith("/") or not relative, f"{base} has no slash at its end, and {relative[:1]} is relative")


@check("entry-point-shows-what-is-there")
def entry_point_shows_what_is_there(world: World) -> None:
    for entry in world.entries():
        answer = world.wire.get(world.collection(entry), ("$last", "1"))
        expect(answer.status == 200, f"{entry} was answered {answer.told()}")


@check("entry-point-is-found-by-its-id")
def entry_point_is_found_by_its_id(world: World) -> None:
    found = world.read(str(world.entry_point.get("id")))
    expect(kind_of(found) == "CloudEntryPoint", f"it leads to a {kind_of(found)}")


@check("entry-point-update")
def entry_point_update(world: World) -> None:
    before = world.entry_point.get("description")
    edit = world.demanded(world.entry_point, "edit")
    try:
        answer = world.wire.put(edit, "CloudEntryPoint", {"description": world.mark}, ("$select", "description"))
        expect(answer.good, f"it was answered {answer.told()}")
        world.finish(answer)
        after = world.read("").get("description")
        expect(after == world.mark, f"description is {after}")
    finally:
        content = {"description": before} if before else {}
        world.wire.put(edit, "CloudEntryPoint", content, ("$select", "description"))


# ResourceMetadata


@fact
def described(world: World) -> list[Document]:
    return world.everything(world.collection("resourceMetadata"))


def _parts(world: World, name: str) -> list[tuple[Document, Document]]:
    found = [(owner, part) for owner in described(world) for part in owner.get(name, [])]
    if not found:
        raise NotOffered(f"no ResourceMetadata has {name}")
    return found


@check("metadata-type-uri")
def metadata_type_uri(world: World) -> None:
    for entry in described(world):
        kind = words.type_name(entry.get("typeURI"))
        known = kind in words.SHAPES or kind == "ResourceMetadata"
        expect(known and entry["typeURI"] == words.type_uri(kind), f"{entry.get('id')} says {entry.get('typeURI')}")


@check("metadata-name")
def metadata_name(world: World) -> None:
    for entry in described(world):
        expect(
            entry.get("name") == words.type_name(entry.get("typeURI")), f"{entry.get('id')} says {entry.get('name')}"
        )


@check("metadata-attributes")
def metadata_attributes(world: World) -> None:
    for owner, part in _parts(world, "attributes"):
        expect(part.get("name"), f"an attribute of {owner.get('name')} has no name")


def _known(owner: Document, part: Document) -> bool:
    kind = str(owner.get("name"))
    flat = ("timestamp", "value") if kind == "Sample" else ()
    return part.get("name") in words.shape(kind) or part.get("name") in flat or kind == "ResourceMetadata"


@check("metadata-attributes-of-the-provider")
def metadata_attributes_of_the_provider(world: World) -> None:
    for owner, part in _parts(world, "attributes"):
        told = [name for name in ("namespace", "type") if part.get(name)]
        what = f"{part.get('name')} of {owner.get('name')}"
        if part.get("namespace"):
            expect(len(told) == 2, f"{what} has a namespace and no type")
        expect(not (_known(owner, part) and told), f"{what} is the standard's, and has {' and '.join(told)}")


@check("metadata-attributes-of-the-standard")
def metadata_attributes_of_the_standard(world: World) -> None:
    for owner, part in _parts(world, "attributes"):
        expect(part.get("namespace") or _known(owner, part), f"{owner.get('name')} has {part.get('name')}")


@check("metadata-capabilities")
def metadata_capabilities(world: World) -> None:
    for owner, part in _parts(world, "capabilities"):
        expect(part.get("uri"), f"{part.get('name')} of {owner.get('name')} has no uri")


@check("metadata-capability-uris")
def metadata_capability_uris(world: World) -> None:
    for owner, part in _parts(world, "capabilities"):
        uri = str(part.get("uri"))
        if uri.startswith(words.NAMESPACE):
            wanted = f"{words.CAPABILITY}{owner.get('name')}/{uri.rpartition('/')[2]}"
            expect(uri == wanted, f"{uri} where {wanted} belongs")


@check("metadata-capability-uris-are-unique")
def metadata_capability_uris_are_unique(world: World) -> None:
    seen: set[str] = set()
    for _owner, part in _parts(world, "capabilities"):
        expect(part.get("uri") not in seen, f"{part.get('uri')} stands twice")
        seen.add(str(part.get("uri")))


@check("metadata-actions")
def metadata_actions(world: World) -> None:
    for owner, part in _parts(world, "actions"):
        missing = [name for name in ("name", "uri", "method") if not part.get(name)]
        expect(not missing, f"an action of {owner.get('name')} has no {' and no '.join(missing)}")


@audit("metadata-has-every-action")
def metadata_has_every_action(world: World, exchange: Exchange) -> str | bool | None:
    if not exchange.good or not world.offers("resourceMetadata"):
        return None
    seen = False
    for kind, document in resources(exchange):
        told = {action.get("uri") for action in (world.metadata(kind) or {}).get("actions", [])}
        for operation in document.get("operations") or []:
            if operation.get("rel") in ("add", "edit", "delete"):
                continue
            seen = True
            if operation.get("rel") not in told:
                return f"{operation.get('rel')} of {named(document)} does not stand in the metadata"
    return True if seen else None


@check("metadata-of-every-collection")
def metadata_of_every_collection(world: World) -> None:
    world.collection("resourceMetadata")
    missing = [entry for entry in world.entries() if world.metadata(words.item_type(entry)) is None]
    expect(not missing, f"there is none for {', '.join(missing)}")


@check("metadata-collection")
def metadata_collection(world: World) -> None:
    document = world.read(world.collection("resourceMetadata"))
    expect(kind_of(document) == "ResourceMetadataCollection", f"it is a {kind_of(document)}")
    expect(document.get("count") == len(described(world)), f"count is {document.get('count')}")


@audit("metadata-order")
def metadata_order(_world: World, exchange: Exchange) -> str | bool | None:
    found = [element for kind, element in elements(exchange) if kind == "ResourceMetadata"]
    for element in found:
        order = [
            ORDER.index(xml_form.local(child)) for child in xml_form.children(element) if xml_form.local(child) in ORDER
        ]
        if order != sorted(order):
            return "elements of a ResourceMetadata stand in another order"
    return True if found else None


# Capabilities


def _states(world: World, kind: str) -> None:
    default, states = world.capability(kind, "DefaultInitialState"), world.capability(kind, "InitialStates")
    if default is None and states is None:
        raise NotOffered(f"{kind} has neither DefaultInitialState nor InitialStates")
    listed = [word.strip() for word in str(states).split(",")] if states else [str(default)]
    wrong = [
        word for word in [*listed, *([str(default)] if default else [])] if word in TRANSIENT or not word.isupper()
    ]
    expect(not wrong, f"{', '.join(wrong)} is no state to begin in")
    expect(default is None or default in listed, f"{default} is none of {', '.join(listed)}")


@check("capability-initial-states")
def capability_initial_states(world: World) -> None:
    _states(world, "Machine")


@check("capability-network-initial-states")
def capability_network_initial_states(world: World) -> None:
    _states(world, "Network")


def _implied(world: World, kind: str, implied: str, *names: str) -> None:
    given = [name for name in names if world.has(kind, name)]
    if not given:
        raise NotOffered(f"none of {', '.join(names)} is true")
    expect(world.has(kind, implied), f"{', '.join(given)} are true, and {implied} is {world.capability(kind, implied)}")


@check("capability-machine-by-value")
def capability_machine_by_value(world: World) -> None:
    names = ("MachineConfigByValue", "MachineCredentialByValue", "MachineImageByValue", "MachineVolumeTemplatesByValue")
    _implied(world, "Machine", "MachineTemplateByValue", *names)


@check("capability-volume-by-value")
def capability_volume_by_value(world: World) -> None:
    _implied(world, "Volume", "VolumeTemplateByValue", "VolumeConfigByValue", "VolumeImageByValue")


def _value(world: World, kind: str, name: str) -> Any:
    value = world.capability(kind, name)
    if value is None:
        raise NotOffered(f"the capability {kind}/{name} is not told")
    return value


@check("capability-user-data")
def capability_user_data(world: World) -> None:
    value = _value(world, "Machine", "UserData")
    expect(value in ("metadata", "disk", "imgmod"), f"it is {value}")


@check("capability-job-retention")
def capability_job_retention(world: World) -> None:
    value = _value(world, "Job", "JobRetention")
    expect(str(value).isdecimal(), f"it is {value}")


def _demand(world: World, name: str) -> None:
    world.demand_capability("CloudEntryPoint", name)


@check("capability-filter-parameter")
def capability_filter_parameter(world: World) -> None:
    _demand(world, "FilterParameter")
    found = world.listed(world.collection("machineConfigs"), ("$filter", f"name='{things.five(world)[0]['name']}'"))
    expect(
        [item.get("id") for item in found] == [things.five(world)[0]["id"]], f"a filter by name gave {len(found)} items"
    )


@check("capability-first-parameter")
def capability_first_parameter(world: World) -> None:
    _demand(world, "FirstParameter")
    things.five(world)
    for parameters in ((("$last", "2"),), (("$first", "2"), ("$last", "3"))):
        found = world.listed(world.collection("machineConfigs"), *parameters)
        expect(len(found) == 2, f"{parameters} gave {len(found)} items")


@check("capability-select-parameter")
def capability_select_parameter(world: World) -> None:
    _demand(world, "SelectParameter")
    shown = set(world.read(str(things.five(world)[0]["id"]), ("$select", "cpu"))) - {"resourceURI"}
    expect(shown == {"cpu"}, f"$select=cpu gave {', '.join(shown)}")


@check("capability-expand-parameter")
def capability_expand_parameter(world: World) -> None:
    _demand(world, "ExpandParameter")
    found = world.read("", ("$expand", "machineConfigs")).get("machineConfigs")
    expect(isinstance(found, dict) and "count" in found, f"machineConfigs of the Cloud Entry Point is {found}")


@check("capability-format-parameter")
def capability_format_parameter(world: World) -> None:
    _demand(world, "FormatParameter")
    media = world.wire.get("", ("$format", world.other.media), raw=True).media
    expect(media == f"application/{world.other.media}", f"$format={world.other.media} gave {media}")


@check("capability-orderby-parameter")
def capability_orderby_parameter(world: World) -> None:
    _demand(world, "OrderByParameter")
    things.five(world)
    found = [item.get("cpu") for item in world.listed(world.collection("machineConfigs"), ("$orderby", "cpu:desc"))]
    numbers = [value for value in found if isinstance(value, int)]
    expect(numbers and numbers == sorted(numbers, reverse=True), f"$orderby=cpu:desc gave {numbers}")


@check("capability-query-path-notation")
def capability_query_path_notation(world: World) -> None:
    _demand(world, "QueryPathNotation")
    things.five(world)
    document = world.read(world.collection("machineConfigs"), ("$select", "machineConfigurations/name"))
    names = {name for item in world.items(document, "MachineConfiguration") for name in item}
    expect(names - {"resourceURI"} == {"name"}, f"items show {', '.join(sorted(names))}")


@check("capability-max-property-items")
def capability_max_property_items(world: World) -> None:
    most = int(str(_value(world, "CloudEntryPoint", "MaxPropertyItems")))
    found = things.record(world, properties={f"key{number}": "x" for number in range(min(most, 1000))})
    expect(len(found.get("properties", {})) == min(most, 1000), f"{len(found.get('properties', {}))} came back")


# Minimal conformance


@check("minimal-entry-point")
def minimal_entry_point(world: World) -> None:
    wanted = ("resourceMetadata", "machines", "machineImages", "machineConfigs")
    missing = [name for name in wanted if not world.offers(name)]
    expect(not missing, f"there is no {', '.join(missing)}")


@check("minimal-machine")
def minimal_machine(world: World) -> None:
    missing = [name for name in ("cpu", "memory", "disks", "cpuArch") if name not in things.machine(world)]
    expect(not missing, f"it has no {', '.join(missing)}")


@check("minimal-machine-configuration")
def minimal_machine_configuration(world: World) -> None:
    missing = [name for name in ("cpu", "memory") if name not in things.five(world)[0]]
    expect(not missing, f"it has no {', '.join(missing)}")


@check("minimal-machine-create")
def minimal_machine_create(world: World) -> None:
    if world.options.template:
        raise NotOffered("Machines were made from the template that --template names")
    expect(things.created(world).exchange.status in (201, 202), "it was not created")
