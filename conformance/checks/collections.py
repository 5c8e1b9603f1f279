"""$select, $expand and $format, and what collections are."""

from __future__ import annotations

from conformance import things, xml_form
from conformance import vocabulary as words
from conformance.looking import OF_COLLECTIONS
from conformance.outcomes import NotOffered, expect, violated
from conformance.registry import check
from conformance.wire import Document
from conformance.world import World


def _subject(world: World) -> Document:
    return things.five(world)[0]


def _shown(document: Document) -> set[str]:
    """Attributes less the resourceURI, which is none of the model's."""
    return set(document) - {"resourceURI"}


def _selected(world: World, wanted: set[str], *names: str) -> None:
    if world.capability("CloudEntryPoint", "SelectParameter") is False:
        raise NotOffered("the capability CloudEntryPoint/SelectParameter is false")
    url = str(_subject(world)["id"])
    shown = _shown(world.read(url, *(("$select", name) for name in names)))
    said = "&".join(f"$select={name}" for name in names)
    expect(shown == wanted, f"{said} gave {', '.join(sorted(shown)) or 'nothing'}")


@check("select-of-a-resource")
def select_of_a_resource(world: World) -> None:
    _selected(world, {"name", "cpu"}, "name,cpu")


@check("select-several")
def select_several(world: World) -> None:
    _selected(world, {"name", "cpu"}, "name", "cpu")


@check("select-unknown")
def select_unknown(world: World) -> None:
    _selected(world, {"name"}, "name,nonsense,name")


@check("select-star")
def select_star(world: World) -> None:
    _selected(world, _shown(world.read(str(_subject(world)["id"]))), "*")


@check("select-operations")
def select_operations(world: World) -> None:
    _selected(world, {"operations", "id"}, "operations,id")


@check("select-order")
def select_order(world: World) -> None:
    found = world.wire.get(str(_subject(world)["id"]), ("$select", "cpu,description,name"))
    if found.root is None:
        violated(f"it was answered {found.told()}")
    order = [xml_form.local(child) for child in xml_form.children(found.root)]
    expect(order == ["name", "description", "cpu"], f"they came as {', '.join(order)}")


@check("select-of-a-collection")
def select_of_a_collection(world: World) -> None:
    things.five(world)
    shown = _shown(world.read(world.collection("machineConfigs"), ("$select", "count,operations")))
    expect(shown == {"count", "operations"}, f"$select=count,operations gave {', '.join(sorted(shown))}")


@check("select-of-items")
def select_of_items(world: World) -> None:
    things.five(world)
    document = world.read(world.collection("machineConfigs"), ("$select", "name,cpu"))
    items = world.items(document, "MachineConfiguration")
    expect(items, "there are no items")
    for item in items:
        expect(_shown(item) <= {"name", "cpu"}, f"an item has {', '.join(sorted(_shown(item)))}")
    expect(any("cpu" in item for item in items), "no item has cpu")


# $expand


def _owner(world: World) -> Document:
    """A Machine, which has references to collections and to one resource."""
    return things.machine(world)


def _expanded(world: World, *parameters: tuple[str, str]) -> Document:
    if world.capability("CloudEntryPoint", "ExpandParameter") is False:
        raise NotOffered("the capability CloudEntryPoint/ExpandParameter is false")
    return world.read(str(_owner(world)["id"]), *parameters)


def _is_expanded(value: object, *names: str) -> bool:
    return isinstance(value, dict) and "href" in value and all(name in value for name in names)


@check("expand-a-reference")
def expand_a_reference(world: World) -> None:
    if not isinstance(_owner(world).get("eventLog"), dict):
        raise NotOffered("Machines have no eventLog here")
    found = _expanded(world, ("$expand", "eventLog")).get("eventLog")
    expect(_is_expanded(found, "id", "targetResource"), f"eventLog is {found}")


@check("expand-a-collection")
def expand_a_collection(world: World) -> None:
    found = _expanded(world, ("$expand", "disks")).get("disks")
    expect(_is_expanded(found, "id", "count"), f"disks is {found}")
    assert isinstance(found, dict)
    items = found.get("disks", [])
    expect(len(items) == found["count"], f"{len(items)} disks, and a count of {found['count']}")
    expect(all("capacity" in item for item in items), "a disk has no capacity")


@check("expand-all")
def expand_all(world: World) -> None:
    names = [name for name in ("disks", "volumes", "networkInterfaces") if name in _owner(world)]
    for parameter in ("*", ""):
        document = _expanded(world, ("$expand", parameter))
        plain = [name for name in names if not _is_expanded(document.get(name), "count")]
        expect(not plain, f"$expand={parameter} left {', '.join(plain)}")


@check("expand-unknown")
def expand_unknown(world: World) -> None:
    document = _expanded(world, ("$expand", "nonsense,name,cpu"))
    expect(document.get("cpu") == _owner(world).get("cpu"), f"cpu is {document.get('cpu')}")


@check("expand-several")
def expand_several(world: World) -> None:
    document = _expanded(world, ("$expand", "disks"), ("$expand", "volumes"))
    for name in ("disks", "volumes"):
        if name in document:
            expect(_is_expanded(document[name], "count"), f"{name} is {document[name]}")


@check("expand-of-items")
def expand_of_items(world: World) -> None:
    mine = _owner(world)["id"]
    _expanded(world)
    items = world.listed(world.collection("machines"), ("$expand", "disks"))
    found = [item.get("disks") for item in items if item.get("id") == mine]
    expect(found and _is_expanded(found[0], "count"), f"disks of an item is {found}")


@check("expand-not-asked")
def expand_not_asked(world: World) -> None:
    for name in ("disks", "volumes", "networkInterfaces"):
        found = _owner(world).get(name)
        expect(not _is_expanded(found, "count"), f"{name} is expanded")


# $format


def _format(world: World, *values: str) -> str:
    if world.capability("CloudEntryPoint", "FormatParameter") is False:
        raise NotOffered("the capability CloudEntryPoint/FormatParameter is false")
    return world.wire.get("", *(("$format", value) for value in values), raw=True).media


@check("format-overrides")
def format_overrides(world: World) -> None:
    for value in ("json", "xml"):
        media = _format(world, value)
        expect(media == f"application/{value}", f"$format={value} gave {media}")


@check("format-ignores-case")
def format_ignores_case(world: World) -> None:
    for value in ("JSON", "Xml"):
        media = _format(world, value)
        expect(media == f"application/{value.lower()}", f"$format={value} gave {media}")


@check("format-first-counts")
def format_first_counts(world: World) -> None:
    media = _format(world, "xml", "json")
    expect(media == "application/xml", f"$format=xml&$format=json gave {media}")


# What collections are


@check("collection-id-is-a-self-pointer")
def collection_id_is_a_self_pointer(world: World) -> None:
    for entry in world.entries():
        document = world.read(world.collection(entry), ("$last", "1"))
        again = world.read(str(document.get("id")), ("$last", "1"))
        same = (document.get("id"), document.get("resourceURI")) == (again.get("id"), again.get("resourceURI"))
        expect(same, f"GET {document.get('id')} gave {again.get('id')}")


@check("collection-counts-its-items")
def collection_counts_its_items(world: World) -> None:
    for entry in world.entries():
        if entry == "jobs":
            continue
        document = world.read(world.collection(entry))
        count, items = document.get("count"), world.items(document)
        expect(isinstance(count, int), f"count of {entry} is {count!r}")
        shown = len(items) == count or (
            len(items) < int(str(count)) and len(world.everything(world.collection(entry))) == count
        )
        expect(shown, f"{entry} counts {count} and shows {len(items)}")


@check("collection-is-of-its-type")
def collection_is_of_its_type(world: World) -> None:
    for entry in world.entries():
        document = world.read(world.collection(entry), ("$last", "1"))
        wanted = words.type_uri(f"{words.item_type(entry)}Collection")
        expect(document.get("resourceURI") == wanted, f"{entry} says {document.get('resourceURI')}")


@check("collection-names-its-items")
def collection_names_its_items(world: World) -> None:
    for entry in world.entries():
        document = world.read(world.collection(entry), ("$last", "1"))
        allowed = {*OF_COLLECTIONS, words.items_key(words.item_type(entry))}
        if entry == "resourceMetadata":
            allowed.add("resourceMetadata")
        others = set(document) - allowed
        expect(not others, f"{entry} has {', '.join(sorted(others))}")


@check("collection-omits-no-items")
def collection_omits_no_items(world: World) -> None:
    things.five(world)
    document = world.read(world.collection("machineConfigs"), ("$filter", "name='nobody has this name'"))
    expect("machineConfigurations" not in document, "an empty collection shows its list of items")


@check("collection-items-have-ids")
def collection_items_have_ids(world: World) -> None:
    seen = 0
    for entry in world.entries():
        for item in world.listed(world.collection(entry), ("$last", "5")):
            seen += 1
            expect(item.get("id"), f"an item of {entry} has no id")
            if world.media == "json":
                wanted = words.type_uri(words.item_type(entry))
                expect(item.get("resourceURI") == wanted, f"an item of {entry} says {item.get('resourceURI')}")
    expect(seen, "all collections are empty")


@check("collection-add-lists-the-new")
def collection_add_lists_the_new(world: World) -> None:
    found = things.record(world)
    entry = next(name for name in world.entries() if words.item_type(name) == things.kind_of(found))
    ids = [item.get("id") for item in world.everything(world.collection(entry))]
    expect(found["id"] in ids, f"{found['id']} is not listed")


@check("collection-add-refers-to-the-new")
def collection_add_refers_to_the_new(world: World) -> None:
    made = things.volume_made(world) if world.offers("volumes") else things.created(world)
    targets = [ref.get("href") for ref in (made.job or {}).get("affectedResources", [])]
    said = made.exchange.location or made.document.get("id") or (made.url if made.url in targets else None)
    expect(said, "neither the answer nor its Job refers to the new resource")
