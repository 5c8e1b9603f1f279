"""The Cloud Entry Point, ResourceMetadata, and whether capabilities are true."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from conformance import fixtures, xml_form
from conformance import vocabulary as words
from conformance.documents import elements, hrefs, named, resources
from conformance.outcomes import NotOffered, expect
from conformance.provider import Provider, fixture
from conformance.registry import audit, check
from conformance.wire import Document, Exchange, kind_of

ORDER = ("id", "typeURI", "name", "attribute", "capability", "action", "operation")
TRANSIENT = ("CREATING", "STARTING", "STOPPING", "PAUSING", "SUSPENDING", "DELETING", "CAPTURING", "RESTORING")


@check("entry-point-base-uri")
def entry_point_base_uri(provider: Provider) -> None:
    base = str(provider.entry_point.get("baseURI", ""))
    expect(urlsplit(base).scheme and urlsplit(base).netloc, f"baseURI is {base or 'missing'}")
    relative = [uri for uri in hrefs(provider.entry_point) if not urlsplit(uri).scheme]
    expect(base.endswith("/") or not relative, f"{base} has no slash at its end, and {relative[:1]} is relative")


@check("entry-point-shows-what-is-there")
def entry_point_shows_what_is_there(provider: Provider) -> None:
    for entry in provider.entries():
        answer = provider.wire.get(provider.collection(entry), ("$last", "1"))
        expect(answer.status == 200, f"{entry} was answered {answer.summary}")


@check("entry-point-is-found-by-its-id")
def entry_point_is_found_by_its_id(provider: Provider) -> None:
    document = provider.read(str(provider.entry_point.get("id")))
    expect(kind_of(document) == "CloudEntryPoint", f"it leads to a {kind_of(document)}")


@check("entry-point-update")
def entry_point_update(provider: Provider) -> None:
    before = provider.entry_point.get("description")
    edit = provider.demand_operation(provider.entry_point, "edit")
    try:
        answer = provider.wire.put(edit, "CloudEntryPoint", {"description": provider.mark}, ("$select", "description"))
        expect(answer.good, f"it was answered {answer.summary}")
        provider.finish(answer)
        after = provider.read("").get("description")
        expect(after == provider.mark, f"description is {after}")
    finally:
        content = {"description": before} if before else {}
        provider.wire.put(edit, "CloudEntryPoint", content, ("$select", "description"))


# ResourceMetadata


@fixture
def all_metadata(provider: Provider) -> list[Document]:
    """Read the ResourceMetadata of all types."""
    return provider.all_items(provider.collection("resourceMetadata"))


def _parts(provider: Provider, name: str) -> list[tuple[Document, Document]]:
    parts = [(owner, part) for owner in all_metadata(provider) for part in owner.get(name, [])]
    if not parts:
        raise NotOffered(f"no ResourceMetadata has {name}")
    return parts


@check("metadata-type-uri")
def metadata_type_uri(provider: Provider) -> None:
    for entry in all_metadata(provider):
        kind = words.type_name(entry.get("typeURI"))
        is_of_the_standard = kind in words.SHAPES or kind == "ResourceMetadata"
        expect(
            _is_the_providers(entry) or (is_of_the_standard and entry["typeURI"] == words.type_uri(kind)),
            f"{entry.get('id')} says {entry.get('typeURI')}",
        )


def _is_the_providers(entry: Document) -> bool:
    """Return whether a metadata is about a type that the provider has added, in a namespace of its own."""
    uri = entry.get("typeURI")
    return isinstance(uri, str) and "://" in uri and not uri.startswith(words.NAMESPACE)


@check("metadata-name")
def metadata_name(provider: Provider) -> None:
    for entry in all_metadata(provider):
        expect(
            entry.get("name") == words.type_name(entry.get("typeURI")), f"{entry.get('id')} says {entry.get('name')}"
        )


@check("metadata-attributes")
def metadata_attributes(provider: Provider) -> None:
    for owner, part in _parts(provider, "attributes"):
        expect(part.get("name"), f"an attribute of {owner.get('name')} has no name")


def _known(owner: Document, part: Document) -> bool:
    kind = str(owner.get("name"))
    flat = ("timestamp", "value") if kind == "Sample" else ()
    return part.get("name") in words.shape(kind) or part.get("name") in flat or kind == "ResourceMetadata"


@check("metadata-attributes-of-the-provider")
def metadata_attributes_of_the_provider(provider: Provider) -> None:
    for owner, part in _parts(provider, "attributes"):
        given = [name for name in ("namespace", "type") if part.get(name)]
        what = f"{part.get('name')} of {owner.get('name')}"
        if part.get("namespace"):
            expect(len(given) == 2, f"{what} has a namespace and no type")
        is_the_standards = _known(owner, part) and not _is_the_providers(owner)
        expect(not (is_the_standards and given), f"{what} is the standard's, and has {' and '.join(given)}")


@check("metadata-attributes-of-the-standard")
def metadata_attributes_of_the_standard(provider: Provider) -> None:
    for owner, part in _parts(provider, "attributes"):
        is_right = part.get("namespace") or _is_the_providers(owner) or _known(owner, part)
        expect(is_right, f"{owner.get('name')} has {part.get('name')}")


@check("metadata-capabilities")
def metadata_capabilities(provider: Provider) -> None:
    for owner, part in _parts(provider, "capabilities"):
        expect(part.get("uri"), f"{part.get('name')} of {owner.get('name')} has no uri")


@check("metadata-capability-uris")
def metadata_capability_uris(provider: Provider) -> None:
    for owner, part in _parts(provider, "capabilities"):
        uri = str(part.get("uri"))
        if uri.startswith(words.NAMESPACE):
            wanted = f"{words.CAPABILITY}{owner.get('name')}/{uri.rpartition('/')[2]}"
            expect(uri == wanted, f"{uri} where {wanted} belongs")


@check("metadata-capability-uris-are-unique")
def metadata_capability_uris_are_unique(provider: Provider) -> None:
    seen: set[str] = set()
    for _owner, part in _parts(provider, "capabilities"):
        expect(part.get("uri") not in seen, f"{part.get('uri')} stands twice")
        seen.add(str(part.get("uri")))


@check("metadata-actions")
def metadata_actions(provider: Provider) -> None:
    for owner, part in _parts(provider, "actions"):
        missing = [name for name in ("name", "uri", "method") if not part.get(name)]
        expect(not missing, f"an action of {owner.get('name')} has no {' and no '.join(missing)}")


@audit("metadata-has-every-action")
def metadata_has_every_action(provider: Provider, exchange: Exchange) -> str | bool | None:
    if not exchange.good or not provider.offers("resourceMetadata"):
        return None
    seen = False
    for kind, document in resources(exchange):
        published = {action.get("uri") for action in (provider.metadata(kind) or {}).get("actions", [])}
        for operation in document.get("operations") or []:
            if operation.get("rel") in ("add", "edit", "delete"):
                continue
            seen = True
            if operation.get("rel") not in published:
                return f"{operation.get('rel')} of {named(document)} does not stand in the metadata"
    return True if seen else None


@check("metadata-of-every-collection")
def metadata_of_every_collection(provider: Provider) -> None:
    provider.collection("resourceMetadata")
    missing = [entry for entry in provider.entries() if provider.metadata(words.item_type(entry)) is None]
    expect(not missing, f"there is none for {', '.join(missing)}")


@check("metadata-collection")
def metadata_collection(provider: Provider) -> None:
    document = provider.read(provider.collection("resourceMetadata"))
    expect(kind_of(document) == "ResourceMetadataCollection", f"it is a {kind_of(document)}")
    expect(document.get("count") == len(all_metadata(provider)), f"count is {document.get('count')}")


@audit("metadata-order")
def metadata_order(_provider: Provider, exchange: Exchange) -> str | bool | None:
    found_elements = [element for kind, element in elements(exchange) if kind == "ResourceMetadata"]
    for element in found_elements:
        order = [
            ORDER.index(xml_form.local(child)) for child in xml_form.children(element) if xml_form.local(child) in ORDER
        ]
        if order != sorted(order):
            return "elements of a ResourceMetadata stand in another order"
    return True if found_elements else None


# Capabilities


def _states(provider: Provider, kind: str) -> None:
    default, states = provider.capability(kind, "DefaultInitialState"), provider.capability(kind, "InitialStates")
    if default is None and states is None:
        raise NotOffered(f"{kind} has neither DefaultInitialState nor InitialStates")
    listed = [word.strip() for word in str(states).split(",")] if states else [str(default)]
    wrong = [
        word for word in [*listed, *([str(default)] if default else [])] if word in TRANSIENT or not word.isupper()
    ]
    expect(not wrong, f"{', '.join(wrong)} is no state to begin in")
    expect(default is None or default in listed, f"{default} is none of {', '.join(listed)}")


@check("capability-initial-states")
def capability_initial_states(provider: Provider) -> None:
    _states(provider, "Machine")


@check("capability-network-initial-states")
def capability_network_initial_states(provider: Provider) -> None:
    _states(provider, "Network")


def _implied(provider: Provider, kind: str, implied: str, *names: str) -> None:
    given = [name for name in names if provider.has_capability(kind, name)]
    if not given:
        raise NotOffered(f"none of {', '.join(names)} is true")
    expect(
        provider.has_capability(kind, implied),
        f"{', '.join(given)} are true, and {implied} is {provider.capability(kind, implied)}",
    )


@check("capability-machine-by-value")
def capability_machine_by_value(provider: Provider) -> None:
    names = ("MachineConfigByValue", "MachineCredentialByValue", "MachineImageByValue", "MachineVolumeTemplatesByValue")
    _implied(provider, "Machine", "MachineTemplateByValue", *names)


@check("capability-volume-by-value")
def capability_volume_by_value(provider: Provider) -> None:
    _implied(provider, "Volume", "VolumeTemplateByValue", "VolumeConfigByValue", "VolumeImageByValue")


def _value(provider: Provider, kind: str, name: str) -> Any:
    value = provider.capability(kind, name)
    if value is None:
        raise NotOffered(f"the capability {kind}/{name} is not told")
    return value


@check("capability-user-data")
def capability_user_data(provider: Provider) -> None:
    value = _value(provider, "Machine", "UserData")
    expect(value in ("metadata", "disk", "imgmod"), f"it is {value}")


@check("capability-job-retention")
def capability_job_retention(provider: Provider) -> None:
    value = _value(provider, "Job", "JobRetention")
    expect(str(value).isdecimal(), f"it is {value}")


def _demand(provider: Provider, name: str) -> None:
    provider.demand_capability("CloudEntryPoint", name)


@check("capability-filter-parameter")
def capability_filter_parameter(provider: Provider) -> None:
    _demand(provider, "FilterParameter")
    items = provider.items_at(
        provider.collection("machineConfigs"),
        ("$filter", f"name='{fixtures.five_configurations(provider)[0]['name']}'"),
    )
    expect(
        [item.get("id") for item in items] == [fixtures.five_configurations(provider)[0]["id"]],
        f"a filter by name gave {len(items)} items",
    )


@check("capability-first-parameter")
def capability_first_parameter(provider: Provider) -> None:
    _demand(provider, "FirstParameter")
    fixtures.five_configurations(provider)
    for parameters in ((("$last", "2"),), (("$first", "2"), ("$last", "3"))):
        items = provider.items_at(provider.collection("machineConfigs"), *parameters)
        expect(len(items) == 2, f"{parameters} gave {len(items)} items")


@check("capability-select-parameter")
def capability_select_parameter(provider: Provider) -> None:
    _demand(provider, "SelectParameter")
    names = set(provider.read(str(fixtures.five_configurations(provider)[0]["id"]), ("$select", "cpu"))) - {
        "resourceURI"
    }
    expect(names == {"cpu"}, f"$select=cpu gave {', '.join(names)}")


@check("capability-expand-parameter")
def capability_expand_parameter(provider: Provider) -> None:
    _demand(provider, "ExpandParameter")
    reference = provider.read("", ("$expand", "machineConfigs")).get("machineConfigs")
    expect(
        isinstance(reference, dict) and "count" in reference, f"machineConfigs of the Cloud Entry Point is {reference}"
    )


@check("capability-format-parameter")
def capability_format_parameter(provider: Provider) -> None:
    _demand(provider, "FormatParameter")
    media = provider.wire.get("", ("$format", provider.other_wire.media), raw=True).media
    expect(media == f"application/{provider.other_wire.media}", f"$format={provider.other_wire.media} gave {media}")


@check("capability-orderby-parameter")
def capability_orderby_parameter(provider: Provider) -> None:
    _demand(provider, "OrderByParameter")
    fixtures.five_configurations(provider)
    cpus = [
        item.get("cpu") for item in provider.items_at(provider.collection("machineConfigs"), ("$orderby", "cpu:desc"))
    ]
    numbers = [value for value in cpus if isinstance(value, int)]
    expect(numbers and numbers == sorted(numbers, reverse=True), f"$orderby=cpu:desc gave {numbers}")


@check("capability-query-path-notation")
def capability_query_path_notation(provider: Provider) -> None:
    _demand(provider, "QueryPathNotation")
    fixtures.five_configurations(provider)
    document = provider.read(provider.collection("machineConfigs"), ("$select", "machineConfigurations/name"))
    names = {name for item in provider.items(document, "MachineConfiguration") for name in item}
    expect(names - {"resourceURI"} == {"name"}, f"items show {', '.join(sorted(names))}")


@check("capability-max-property-items")
def capability_max_property_items(provider: Provider) -> None:
    most = int(str(_value(provider, "CloudEntryPoint", "MaxPropertyItems")))
    resource = fixtures.cheap_resource(provider, properties={f"key{number}": "x" for number in range(min(most, 1000))})
    expect(len(resource.get("properties", {})) == min(most, 1000), f"{len(resource.get('properties', {}))} came back")


# Minimal conformance


@check("minimal-entry-point")
def minimal_entry_point(provider: Provider) -> None:
    wanted = ("resourceMetadata", "machines", "machineImages", "machineConfigs")
    missing = [name for name in wanted if not provider.offers(name)]
    expect(not missing, f"there is no {', '.join(missing)}")


@check("minimal-machine")
def minimal_machine(provider: Provider) -> None:
    missing = [name for name in ("cpu", "memory", "disks", "cpuArch") if name not in fixtures.machine(provider)]
    expect(not missing, f"it has no {', '.join(missing)}")


@check("minimal-machine-configuration")
def minimal_machine_configuration(provider: Provider) -> None:
    missing = [name for name in ("cpu", "memory") if name not in fixtures.five_configurations(provider)[0]]
    expect(not missing, f"it has no {', '.join(missing)}")


@check("minimal-machine-create")
def minimal_machine_create(provider: Provider) -> None:
    if provider.options.template:
        raise NotOffered("Machines were made from the template that --template names")
    expect(fixtures.machine_made(provider).exchange.status in (201, 202), "it was not created")
