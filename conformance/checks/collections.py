"""$select, $expand and $format, and what collections are."""

from __future__ import annotations

from conformance import fixtures, xml_form
from conformance import vocabulary as words
from conformance.documents import OF_COLLECTIONS
from conformance.outcomes import NotOffered, expect, violated
from conformance.provider import Provider
from conformance.registry import check
from conformance.wire import Document


def _subject(provider: Provider) -> Document:
    return fixtures.five_configurations(provider)[0]


def _names(document: Document) -> set[str]:
    """Return the names of the attributes less the resourceURI, which is none of the model's."""
    return set(document) - {"resourceURI"}


def _selected(provider: Provider, wanted: set[str], *names: str) -> None:
    if provider.capability("CloudEntryPoint", "SelectParameter") is False:
        raise NotOffered("the capability CloudEntryPoint/SelectParameter is false")
    url = str(_subject(provider)["id"])
    names_in_answer = _names(provider.read(url, *(("$select", name) for name in names)))
    said = "&".join(f"$select={name}" for name in names)
    expect(names_in_answer == wanted, f"{said} gave {', '.join(sorted(names_in_answer)) or 'nothing'}")


@check("select-of-a-resource")
def select_of_a_resource(provider: Provider) -> None:
    _selected(provider, {"name", "cpu"}, "name,cpu")


@check("select-several")
def select_several(provider: Provider) -> None:
    _selected(provider, {"name", "cpu"}, "name", "cpu")


@check("select-unknown")
def select_unknown(provider: Provider) -> None:
    _selected(provider, {"name"}, "name,nonsense,name")


@check("select-star")
def select_star(provider: Provider) -> None:
    _selected(provider, _names(provider.read(str(_subject(provider)["id"]))), "*")


@check("select-operations")
def select_operations(provider: Provider) -> None:
    _selected(provider, {"operations", "id"}, "operations,id")


@check("select-order")
def select_order(provider: Provider) -> None:
    answer = provider.wire.get(str(_subject(provider)["id"]), ("$select", "cpu,description,name"))
    if answer.root is None:
        violated(f"it was answered {answer.summary}")
    order = [xml_form.local(child) for child in xml_form.children(answer.root)]
    expect(order == ["name", "description", "cpu"], f"they came as {', '.join(order)}")


@check("select-of-a-collection")
def select_of_a_collection(provider: Provider) -> None:
    fixtures.five_configurations(provider)
    names_in_answer = _names(provider.read(provider.collection("machineConfigs"), ("$select", "count,operations")))
    expect(
        names_in_answer == {"count", "operations"},
        f"$select=count,operations gave {', '.join(sorted(names_in_answer))}",
    )


@check("select-of-items")
def select_of_items(provider: Provider) -> None:
    fixtures.five_configurations(provider)
    document = provider.read(provider.collection("machineConfigs"), ("$select", "name,cpu"))
    items = provider.items(document, "MachineConfiguration")
    expect(items, "there are no items")
    for item in items:
        expect(_names(item) <= {"name", "cpu"}, f"an item has {', '.join(sorted(_names(item)))}")
    expect(any("cpu" in item for item in items), "no item has cpu")


# $expand


def _owner(provider: Provider) -> Document:
    """Read the Machine, which has references to collections and to one resource."""
    return fixtures.machine(provider)


def _expanded(provider: Provider, *parameters: tuple[str, str]) -> Document:
    if provider.capability("CloudEntryPoint", "ExpandParameter") is False:
        raise NotOffered("the capability CloudEntryPoint/ExpandParameter is false")
    return provider.read(str(_owner(provider)["id"]), *parameters)


def _is_expanded(value: object, *names: str) -> bool:
    return isinstance(value, dict) and "href" in value and all(name in value for name in names)


@check("expand-a-reference")
def expand_a_reference(provider: Provider) -> None:
    if not isinstance(_owner(provider).get("eventLog"), dict):
        raise NotOffered("Machines have no eventLog here")
    event_log = _expanded(provider, ("$expand", "eventLog")).get("eventLog")
    expect(_is_expanded(event_log, "id", "targetResource"), f"eventLog is {event_log}")


@check("expand-a-collection")
def expand_a_collection(provider: Provider) -> None:
    disks = _expanded(provider, ("$expand", "disks")).get("disks")
    expect(_is_expanded(disks, "id", "count"), f"disks is {disks}")
    assert isinstance(disks, dict)
    items = disks.get("disks", [])
    expect(len(items) == disks["count"], f"{len(items)} disks, and a count of {disks['count']}")
    expect(all("capacity" in item for item in items), "a disk has no capacity")


@check("expand-all")
def expand_all(provider: Provider) -> None:
    names = [name for name in ("disks", "volumes", "networkInterfaces") if name in _owner(provider)]
    for parameter in ("*", ""):
        document = _expanded(provider, ("$expand", parameter))
        plain = [name for name in names if not _is_expanded(document.get(name), "count")]
        expect(not plain, f"$expand={parameter} left {', '.join(plain)}")


@check("expand-unknown")
def expand_unknown(provider: Provider) -> None:
    document = _expanded(provider, ("$expand", "nonsense,name,cpu"))
    expect(document.get("cpu") == _owner(provider).get("cpu"), f"cpu is {document.get('cpu')}")


@check("expand-several")
def expand_several(provider: Provider) -> None:
    document = _expanded(provider, ("$expand", "disks"), ("$expand", "volumes"))
    for name in ("disks", "volumes"):
        if name in document:
            expect(_is_expanded(document[name], "count"), f"{name} is {document[name]}")


@check("expand-of-items")
def expand_of_items(provider: Provider) -> None:
    mine = _owner(provider)["id"]
    _expanded(provider)
    items = provider.items_at(provider.collection("machines"), ("$expand", "disks"))
    disks = [item.get("disks") for item in items if item.get("id") == mine]
    expect(disks and _is_expanded(disks[0], "count"), f"disks of an item is {disks}")


@check("expand-not-asked")
def expand_not_asked(provider: Provider) -> None:
    for name in ("disks", "volumes", "networkInterfaces"):
        reference = _owner(provider).get(name)
        expect(not _is_expanded(reference, "count"), f"{name} is expanded")


# $format


def _format(provider: Provider, *values: str) -> str:
    if provider.capability("CloudEntryPoint", "FormatParameter") is False:
        raise NotOffered("the capability CloudEntryPoint/FormatParameter is false")
    return provider.wire.get("", *(("$format", value) for value in values), raw=True).media


@check("format-overrides")
def format_overrides(provider: Provider) -> None:
    for value in ("json", "xml"):
        media = _format(provider, value)
        expect(media == f"application/{value}", f"$format={value} gave {media}")


@check("format-ignores-case")
def format_ignores_case(provider: Provider) -> None:
    for value in ("JSON", "Xml"):
        media = _format(provider, value)
        expect(media == f"application/{value.lower()}", f"$format={value} gave {media}")


@check("format-first-counts")
def format_first_counts(provider: Provider) -> None:
    media = _format(provider, "xml", "json")
    expect(media == "application/xml", f"$format=xml&$format=json gave {media}")


# What collections are


@check("collection-id-is-a-self-pointer")
def collection_id_is_a_self_pointer(provider: Provider) -> None:
    for entry in provider.entries():
        document = provider.read(provider.collection(entry), ("$last", "1"))
        again = provider.read(str(document.get("id")), ("$last", "1"))
        same = (document.get("id"), document.get("resourceURI")) == (again.get("id"), again.get("resourceURI"))
        expect(same, f"GET {document.get('id')} gave {again.get('id')}")


@check("collection-counts-its-items")
def collection_counts_its_items(provider: Provider) -> None:
    for entry in provider.entries():
        if entry == "jobs":
            continue
        document = provider.read(provider.collection(entry))
        count, items = document.get("count"), provider.items(document)
        expect(isinstance(count, int), f"count of {entry} is {count!r}")
        is_complete = len(items) == count or (
            len(items) < int(str(count)) and len(provider.all_items(provider.collection(entry))) == count
        )
        expect(is_complete, f"{entry} counts {count} and shows {len(items)}")


@check("collection-is-of-its-type")
def collection_is_of_its_type(provider: Provider) -> None:
    for entry in provider.entries():
        document = provider.read(provider.collection(entry), ("$last", "1"))
        wanted = words.type_uri(f"{words.item_type(entry)}Collection")
        expect(document.get("resourceURI") == wanted, f"{entry} says {document.get('resourceURI')}")


@check("collection-names-its-items")
def collection_names_its_items(provider: Provider) -> None:
    for entry in provider.entries():
        document = provider.read(provider.collection(entry), ("$last", "1"))
        allowed = {*OF_COLLECTIONS, words.items_key(words.item_type(entry))}
        if entry == "resourceMetadata":
            allowed.add("resourceMetadata")
        others = set(document) - allowed
        expect(not others, f"{entry} has {', '.join(sorted(others))}")


@check("collection-omits-no-items")
def collection_omits_no_items(provider: Provider) -> None:
    fixtures.five_configurations(provider)
    document = provider.read(provider.collection("machineConfigs"), ("$filter", "name='nobody has this name'"))
    expect("machineConfigurations" not in document, "an empty collection shows its list of items")


@check("collection-items-have-ids")
def collection_items_have_ids(provider: Provider) -> None:
    seen = 0
    for entry in provider.entries():
        for item in provider.items_at(provider.collection(entry), ("$last", "5")):
            seen += 1
            expect(item.get("id"), f"an item of {entry} has no id")
            if provider.media == "json":
                wanted = words.type_uri(words.item_type(entry))
                expect(item.get("resourceURI") == wanted, f"an item of {entry} says {item.get('resourceURI')}")
    expect(seen, "all collections are empty")


@check("collection-add-lists-the-new")
def collection_add_lists_the_new(provider: Provider) -> None:
    resource = fixtures.cheap_resource(provider)
    entry = next(name for name in provider.entries() if words.item_type(name) == fixtures.kind_of(resource))
    ids = [item.get("id") for item in provider.all_items(provider.collection(entry))]
    expect(resource["id"] in ids, f"{resource['id']} is not listed")


@check("collection-add-refers-to-the-new")
def collection_add_refers_to_the_new(provider: Provider) -> None:
    made = fixtures.volume_made(provider) if provider.offers("volumes") else fixtures.machine_made(provider)
    targets = [ref.get("href") for ref in (made.job or {}).get("affectedResources", [])]
    said = made.exchange.location or made.document.get("id") or (made.url if made.url in targets else None)
    expect(said, "neither the answer nor its Job refers to the new resource")
