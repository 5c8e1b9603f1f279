"""$filter, $orderby, $first and $last: five MachineConfigurations are asked about."""

from __future__ import annotations

from conformance import things
from conformance.outcomes import NotOffered, expect
from conformance.registry import check
from conformance.wire import Document
from conformance.world import World

Parameter = tuple[str, str]


def _demand(world: World, capability: str) -> None:
    """A Provider that says so does not have it; one that says nothing is asked."""
    if world.capability("CloudEntryPoint", capability) is False:
        raise NotOffered(f"the capability CloudEntryPoint/{capability} is false")


def _url(world: World) -> str:
    return world.collection("machineConfigs")


def _asked(world: World, *parameters: Parameter) -> Document:
    things.five(world)
    return world.read(_url(world), *parameters)


def _letters(world: World, document: Document) -> str:
    """Which of the five, by the first letters of their names, in the order that they came in."""
    own = [str(item.get("name")) for item in world.items(document, "MachineConfiguration")]
    return "".join(name.removeprefix(f"{world.mark}-")[0] for name in own if name.startswith(world.mark))


def _ours(world: World) -> Parameter:
    return "$filter", f"property['mark']='{world.mark}'"


def _filtered(world: World, expression: str, wanted: str) -> None:
    """Of the five, exactly these come."""
    _demand(world, "FilterParameter")
    document = _asked(world, _ours(world), ("$filter", expression))
    found = "".join(sorted(_letters(world, document)))
    expect(found == wanted, f"$filter={expression} gave {found or 'none'} where {wanted or 'none'} belong")


@check("query-unknown-is-ignored")
def query_unknown_is_ignored(world: World) -> None:
    plain, asked = world.read(_url(world)), world.read(_url(world), ("$nonsense", "1"), ("nonsense", "2"))
    expect(plain.get("count") == asked.get("count"), f"count is {asked.get('count')}, not {plain.get('count')}")


@check("query-names-may-be-encoded")
def query_names_may_be_encoded(world: World) -> None:
    found = world.read(f"{_url(world)}?%24select=count")
    expect("count" in found and "id" not in found, f"%24select=count gave {', '.join(found)}")


@check("filter-string-equals")
def filter_string_equals(world: World) -> None:
    things.five(world)
    _filtered(world, f"name='{world.mark}-bravo'", "b")


@check("filter-string-differs")
def filter_string_differs(world: World) -> None:
    _filtered(world, "description!='even'", "Eac")


@check("filter-quotes")
def filter_quotes(world: World) -> None:
    _filtered(world, 'description="even"', "bd")
    _filtered(world, "description='even'", "bd")


@check("filter-integers")
def filter_integers(world: World) -> None:
    for expression, wanted in (
        ("cpu<3", "ab"), ("cpu<=3", "abc"), ("cpu=3", "c"), ("cpu>=3", "Ecd"), ("cpu>3", "Ed"), ("cpu!=3", "Eabd"),
    ):  # fmt: skip
        _filtered(world, expression, wanted)


@check("filter-dates")
def filter_dates(world: World) -> None:
    for expression, wanted in (
        ("created>2001-01-01T00:00:00Z", "Eabcd"), ("created<2001-01-01T00:00:00Z", ""),
        ("created>=2001-01-01T00:00:00Z", "Eabcd"), ("created!=2001-01-01T00:00:00Z", "Eabcd"),
    ):  # fmt: skip
        _filtered(world, expression, wanted)


@check("filter-booleans")
def filter_booleans(world: World) -> None:
    _demand(world, "FilterParameter")
    for value, number in (("true", 0), ("false", 1)):
        wanted = things.flags(world)[number]["id"]
        url = world.collection("meterConfigs")
        found = [item["id"] for item in world.listed(url, _ours(world), ("$filter", f"isContinuous={value}"))]
        expect(found == [wanted], f"isContinuous={value} gave {len(found)} items")


@check("filter-reversed")
def filter_reversed(world: World) -> None:
    _filtered(world, "3<cpu", "Ed")
    _filtered(world, "'even'=description", "bd")


@check("filter-and")
def filter_and(world: World) -> None:
    _filtered(world, "cpu>1 and description='odd'", "Ec")


@check("filter-or")
def filter_or(world: World) -> None:
    _filtered(world, "cpu=1 or cpu=4", "ad")


@check("filter-precedence")
def filter_precedence(world: World) -> None:
    _filtered(world, "cpu=1 or cpu=2 and description='odd'", "a")


@check("filter-parentheses")
def filter_parentheses(world: World) -> None:
    _filtered(world, "(cpu=1 or cpu=2) and description='even'", "b")


@check("filter-property")
def filter_property(world: World) -> None:
    _filtered(world, "property['colour']='red'", "abc")


@check("filter-property-differs")
def filter_property_differs(world: World) -> None:
    _filtered(world, "property['colour']!='red'", "Ed")


@check("filter-several")
def filter_several(world: World) -> None:
    _demand(world, "FilterParameter")
    document = _asked(world, _ours(world), ("$filter", "cpu>1"), ("$filter", "cpu<4"))
    found = "".join(sorted(_letters(world, document)))
    expect(found == "bc", f"cpu>1 and cpu<4 as two filters gave {found}")


@check("filter-count")
def filter_count(world: World) -> None:
    _demand(world, "FilterParameter")
    count = _asked(world, _ours(world), ("$filter", "cpu>3")).get("count")
    expect(count == 2, f"count is {count} where two match")


@check("filter-nothing-matches")
def filter_nothing_matches(world: World) -> None:
    _demand(world, "FilterParameter")
    document = _asked(world, ("$filter", "name='nobody has this name'"))
    expect(document.get("count") == 0, f"count is {document.get('count')}")
    expect(not world.items(document), "there are items")


@check("filter-of-a-nested-collection")
def filter_of_a_nested_collection(world: World) -> None:
    _demand(world, "FilterParameter")
    disks = things.machine(world).get("disks")
    if not isinstance(disks, dict):
        raise NotOffered("Machines have no collection of disks")
    for expression, some in (("capacity>=1", True), ("capacity<1", False)):
        count = world.read(str(disks["href"]), ("$filter", expression)).get("count")
        expect(bool(count) == some, f"{expression} gave {count} disks")


@check("filter-malformed")
def filter_malformed(world: World) -> None:
    _demand(world, "FilterParameter")
    for expression in ("cpu=", "cpu==1", "(cpu=1", "cpu=1 xor cpu=2", "property['a']=4", "alpha=beta"):
        answer = world.wire.get(_url(world), ("$filter", expression))
        expect(400 <= answer.status < 500, f"$filter={expression} was answered {answer.status}")


# Pages


def _page(world: World, *parameters: Parameter) -> str:
    _demand(world, "FirstParameter")
    return _letters(world, _asked(world, _ours(world), ("$orderby", "cpu"), *parameters))


def _paged(world: World, wanted: str, *parameters: Parameter) -> None:
    found = _page(world, *parameters)
    said = "&".join("=".join(parameter) for parameter in parameters)
    expect(found == wanted, f"{said} of abcdE gave {found or 'none'} where {wanted or 'none'} belong")


@check("page-first")
def page_first(world: World) -> None:
    _paged(world, "dE", ("$first", "4"))
    _paged(world, "abcdE", ("$first", "1"))


@check("page-last")
def page_last(world: World) -> None:
    _paged(world, "ab", ("$last", "2"))


@check("page-range")
def page_range(world: World) -> None:
    _paged(world, "bcd", ("$first", "2"), ("$last", "4"))
    _paged(world, "c", ("$first", "3"), ("$last", "3"))


@check("page-is-stable")
def page_is_stable(world: World) -> None:
    _demand(world, "FirstParameter")
    things.five(world)
    for _ in range(2):
        whole = [item["id"] for item in world.listed(_url(world), _ours(world))]
        parts = [
            item["id"]
            for position in ("1", "2", "3", "4", "5")
            for item in world.listed(_url(world), _ours(world), ("$first", position), ("$last", position))
        ]
        expect(parts == whole, "the five pages of one are not the whole list in its order")


@check("page-out-of-bounds")
def page_out_of_bounds(world: World) -> None:
    _paged(world, "E", ("$first", "5"), ("$last", "500"))
    _paged(world, "", ("$first", "100"))


@check("page-upside-down")
def page_upside_down(world: World) -> None:
    _paged(world, "", ("$first", "3"), ("$last", "2"))


@check("page-after-filter")
def page_after_filter(world: World) -> None:
    _paged(world, "d", ("$filter", "description='even'"), ("$first", "2"))


@check("page-leaves-count")
def page_leaves_count(world: World) -> None:
    _demand(world, "FirstParameter")
    count = _asked(world, _ours(world), ("$first", "2"), ("$last", "3")).get("count")
    expect(count == 5, f"count is {count} where five match")
    whole, page = world.read(_url(world)).get("count"), world.read(_url(world), ("$last", "1")).get("count")
    expect(whole == page, f"count is {page} with $last=1 and {whole} without")


# Order


def _ordered(world: World, order: str, wanted: str, *parameters: Parameter) -> None:
    _demand(world, "OrderByParameter")
    found = _letters(world, _asked(world, _ours(world), ("$orderby", order), *parameters))
    expect(found == wanted, f"$orderby={order} gave {found} where {wanted} belongs")


@check("order-ascends")
def order_ascends(world: World) -> None:
    _ordered(world, "cpu", "abcdE")
    _ordered(world, "memory:asc", "Edcba")


@check("order-descends")
def order_descends(world: World) -> None:
    _ordered(world, "cpu:desc", "Edcba")


@check("order-integers")
def order_integers(world: World) -> None:
    things.five(world)
    mark = f"{world.mark}-ten"
    content = {"name": mark, "cpu": 10, "memory": things.MEMORY // 2, "properties": {"mark": mark}}
    world.once("ten", lambda: world.make(_url(world), "MachineConfiguration", content))
    mine = f"property['mark']='{world.mark}' or property['mark']='{mark}'"
    found = _letters(world, world.read(_url(world), ("$filter", mine), ("$orderby", "cpu:desc")))
    expect(found == "tEdcba", f"by cpu 10, 5, 4, 3, 2, 1 they came as {found}")


@check("order-strings")
def order_strings(world: World) -> None:
    _ordered(world, "name", "Eabcd")


@check("order-dates")
def order_dates(world: World) -> None:
    _demand(world, "OrderByParameter")
    for order, downwards in (("created", False), ("created:desc", True)):
        found = [str(item.get("created")) for item in world.items(_asked(world, _ours(world), ("$orderby", order)))]
        expect(
            len(found) == 5 and found == sorted(found, reverse=downwards), f"$orderby={order} gave {', '.join(found)}"
        )


@check("order-booleans")
def order_booleans(world: World) -> None:
    _demand(world, "OrderByParameter")
    things.flags(world)
    listed = world.listed(world.collection("meterConfigs"), _ours(world), ("$orderby", "isContinuous"))
    found = [item.get("isContinuous") for item in listed]
    expect(found == [False, True], f"they came as {found}")


@check("order-by-several")
def order_by_several(world: World) -> None:
    _ordered(world, "description,cpu:desc", "dbEca")


@check("order-before-page")
def order_before_page(world: World) -> None:
    _ordered(world, "cpu:desc", "Ed", ("$last", "2"))
