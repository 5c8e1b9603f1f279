"""$filter, $orderby, $first and $last: five MachineConfigurations are asked about."""

from __future__ import annotations

from conformance import fixtures
from conformance.outcomes import NotOffered, expect
from conformance.provider import Provider
from conformance.registry import check
from conformance.wire import Document

Parameter = tuple[str, str]


def _demand(provider: Provider, capability: str) -> None:
    """Raise NotOffered when the provider says that it lacks a capability; one that says nothing may have it."""
    if provider.capability("CloudEntryPoint", capability) is False:
        raise NotOffered(f"the capability CloudEntryPoint/{capability} is false")


def _url(provider: Provider) -> str:
    return provider.collection("machineConfigs")


def _queried(provider: Provider, *parameters: Parameter) -> Document:
    fixtures.five_configurations(provider)
    return provider.read(_url(provider), *parameters)


def _letters(provider: Provider, document: Document) -> str:
    """Return the first letters of the names of those of the five that came, in the order that they came in."""
    own = [str(item.get("name")) for item in provider.items(document, "MachineConfiguration")]
    return "".join(name.removeprefix(f"{provider.mark}-")[0] for name in own if name.startswith(provider.mark))


def _ours(provider: Provider) -> Parameter:
    return "$filter", f"property['mark']='{provider.mark}'"


def _filtered(provider: Provider, expression: str, wanted: str) -> None:
    """Expect that a filter selects exactly these of the five."""
    _demand(provider, "FilterParameter")
    document = _queried(provider, _ours(provider), ("$filter", expression))
    letters = "".join(sorted(_letters(provider, document)))
    expect(letters == wanted, f"$filter={expression} gave {letters or 'none'} where {wanted or 'none'} belong")


@check("query-unknown-is-ignored")
def query_unknown_is_ignored(provider: Provider) -> None:
    plain, with_parameters = (
        provider.read(_url(provider)),
        provider.read(_url(provider), ("$nonsense", "1"), ("nonsense", "2")),
    )
    expect(
        plain.get("count") == with_parameters.get("count"),
        f"count is {with_parameters.get('count')}, not {plain.get('count')}",
    )


@check("query-names-may-be-encoded")
def query_names_may_be_encoded(provider: Provider) -> None:
    document = provider.read(f"{_url(provider)}?%24select=count")
    expect("count" in document and "id" not in document, f"%24select=count gave {', '.join(document)}")


@check("filter-string-equals")
def filter_string_equals(provider: Provider) -> None:
    fixtures.five_configurations(provider)
    _filtered(provider, f"name='{provider.mark}-bravo'", "b")


@check("filter-string-differs")
def filter_string_differs(provider: Provider) -> None:
    _filtered(provider, "description!='even'", "Eac")


@check("filter-quotes")
def filter_quotes(provider: Provider) -> None:
    _filtered(provider, 'description="even"', "bd")
    _filtered(provider, "description='even'", "bd")


@check("filter-integers")
def filter_integers(provider: Provider) -> None:
    for expression, wanted in (
        ("cpu<3", "ab"), ("cpu<=3", "abc"), ("cpu=3", "c"), ("cpu>=3", "Ecd"), ("cpu>3", "Ed"), ("cpu!=3", "Eabd"),
    ):  # fmt: skip
        _filtered(provider, expression, wanted)


@check("filter-dates")
def filter_dates(provider: Provider) -> None:
    for expression, wanted in (
        ("created>2001-01-01T00:00:00Z", "Eabcd"), ("created<2001-01-01T00:00:00Z", ""),
        ("created>=2001-01-01T00:00:00Z", "Eabcd"), ("created!=2001-01-01T00:00:00Z", "Eabcd"),
    ):  # fmt: skip
        _filtered(provider, expression, wanted)


@check("filter-booleans")
def filter_booleans(provider: Provider) -> None:
    _demand(provider, "FilterParameter")
    for value, number in (("true", 0), ("false", 1)):
        wanted = fixtures.two_meter_configurations(provider)[number]["id"]
        url = provider.collection("meterConfigs")
        ids = [item["id"] for item in provider.items_at(url, _ours(provider), ("$filter", f"isContinuous={value}"))]
        expect(ids == [wanted], f"isContinuous={value} gave {len(ids)} items")


@check("filter-reversed")
def filter_reversed(provider: Provider) -> None:
    _filtered(provider, "3<cpu", "Ed")
    _filtered(provider, "'even'=description", "bd")


@check("filter-and")
def filter_and(provider: Provider) -> None:
    _filtered(provider, "cpu>1 and description='odd'", "Ec")


@check("filter-or")
def filter_or(provider: Provider) -> None:
    _filtered(provider, "cpu=1 or cpu=4", "ad")


@check("filter-precedence")
def filter_precedence(provider: Provider) -> None:
    _filtered(provider, "cpu=1 or cpu=2 and description='odd'", "a")


@check("filter-parentheses")
def filter_parentheses(provider: Provider) -> None:
    _filtered(provider, "(cpu=1 or cpu=2) and description='even'", "b")


@check("filter-property")
def filter_property(provider: Provider) -> None:
    _filtered(provider, "property['colour']='red'", "abc")


@check("filter-property-differs")
def filter_property_differs(provider: Provider) -> None:
    _filtered(provider, "property['colour']!='red'", "Ed")


@check("filter-several")
def filter_several(provider: Provider) -> None:
    _demand(provider, "FilterParameter")
    document = _queried(provider, _ours(provider), ("$filter", "cpu>1"), ("$filter", "cpu<4"))
    letters = "".join(sorted(_letters(provider, document)))
    expect(letters == "bc", f"cpu>1 and cpu<4 as two filters gave {letters}")


@check("filter-count")
def filter_count(provider: Provider) -> None:
    _demand(provider, "FilterParameter")
    count = _queried(provider, _ours(provider), ("$filter", "cpu>3")).get("count")
    expect(count == 2, f"count is {count} where two match")


@check("filter-nothing-matches")
def filter_nothing_matches(provider: Provider) -> None:
    _demand(provider, "FilterParameter")
    document = _queried(provider, ("$filter", "name='nobody has this name'"))
    expect(document.get("count") == 0, f"count is {document.get('count')}")
    expect(not provider.items(document), "there are items")


@check("filter-of-a-nested-collection")
def filter_of_a_nested_collection(provider: Provider) -> None:
    _demand(provider, "FilterParameter")
    disks = fixtures.machine(provider).get("disks")
    if not isinstance(disks, dict):
        raise NotOffered("Machines have no collection of disks")
    for expression, some in (("capacity>=1", True), ("capacity<1", False)):
        count = provider.read(str(disks["href"]), ("$filter", expression)).get("count")
        expect(bool(count) == some, f"{expression} gave {count} disks")


@check("filter-malformed")
def filter_malformed(provider: Provider) -> None:
    _demand(provider, "FilterParameter")
    for expression in ("cpu=", "cpu==1", "(cpu=1", "cpu=1 xor cpu=2", "property['a']=4", "alpha=beta"):
        answer = provider.wire.get(_url(provider), ("$filter", expression))
        expect(400 <= answer.status < 500, f"$filter={expression} was answered {answer.status}")


# Pages


def _page(provider: Provider, *parameters: Parameter) -> str:
    _demand(provider, "FirstParameter")
    return _letters(provider, _queried(provider, _ours(provider), ("$orderby", "cpu"), *parameters))


def _paged(provider: Provider, wanted: str, *parameters: Parameter) -> None:
    letters = _page(provider, *parameters)
    said = "&".join("=".join(parameter) for parameter in parameters)
    expect(letters == wanted, f"{said} of abcdE gave {letters or 'none'} where {wanted or 'none'} belong")


@check("page-first")
def page_first(provider: Provider) -> None:
    _paged(provider, "dE", ("$first", "4"))
    _paged(provider, "abcdE", ("$first", "1"))


@check("page-last")
def page_last(provider: Provider) -> None:
    _paged(provider, "ab", ("$last", "2"))


@check("page-range")
def page_range(provider: Provider) -> None:
    _paged(provider, "bcd", ("$first", "2"), ("$last", "4"))
    _paged(provider, "c", ("$first", "3"), ("$last", "3"))


@check("page-is-stable")
def page_is_stable(provider: Provider) -> None:
    _demand(provider, "FirstParameter")
    fixtures.five_configurations(provider)
    for _ in range(2):
        whole = [item["id"] for item in provider.items_at(_url(provider), _ours(provider))]
        parts = [
            item["id"]
            for position in ("1", "2", "3", "4", "5")
            for item in provider.items_at(_url(provider), _ours(provider), ("$first", position), ("$last", position))
        ]
        expect(parts == whole, "the five pages of one are not the whole list in its order")


@check("page-out-of-bounds")
def page_out_of_bounds(provider: Provider) -> None:
    _paged(provider, "E", ("$first", "5"), ("$last", "500"))
    _paged(provider, "", ("$first", "100"))


@check("page-upside-down")
def page_upside_down(provider: Provider) -> None:
    _paged(provider, "", ("$first", "3"), ("$last", "2"))


@check("page-after-filter")
def page_after_filter(provider: Provider) -> None:
    _paged(provider, "d", ("$filter", "description='even'"), ("$first", "2"))


@check("page-leaves-count")
def page_leaves_count(provider: Provider) -> None:
    _demand(provider, "FirstParameter")
    count = _queried(provider, _ours(provider), ("$first", "2"), ("$last", "3")).get("count")
    expect(count == 5, f"count is {count} where five match")
    whole, page = provider.read(_url(provider)).get("count"), provider.read(_url(provider), ("$last", "1")).get("count")
    expect(whole == page, f"count is {page} with $last=1 and {whole} without")


# Order


def _ordered(provider: Provider, order: str, wanted: str, *parameters: Parameter) -> None:
    _demand(provider, "OrderByParameter")
    letters = _letters(provider, _queried(provider, _ours(provider), ("$orderby", order), *parameters))
    expect(letters == wanted, f"$orderby={order} gave {letters} where {wanted} belongs")


@check("order-ascends")
def order_ascends(provider: Provider) -> None:
    _ordered(provider, "cpu", "abcdE")
    _ordered(provider, "memory:asc", "Edcba")


@check("order-descends")
def order_descends(provider: Provider) -> None:
    _ordered(provider, "cpu:desc", "Edcba")


@check("order-integers")
def order_integers(provider: Provider) -> None:
    fixtures.five_configurations(provider)
    mark = f"{provider.mark}-ten"
    content = {"name": mark, "cpu": 10, "memory": fixtures.MEMORY // 2, "properties": {"mark": mark}}
    provider.once("ten", lambda: provider.create(_url(provider), "MachineConfiguration", content))
    mine = f"property['mark']='{provider.mark}' or property['mark']='{mark}'"
    letters = _letters(provider, provider.read(_url(provider), ("$filter", mine), ("$orderby", "cpu:desc")))
    expect(letters == "tEdcba", f"by cpu 10, 5, 4, 3, 2, 1 they came as {letters}")


@check("order-strings")
def order_strings(provider: Provider) -> None:
    _ordered(provider, "name", "Eabcd")


@check("order-dates")
def order_dates(provider: Provider) -> None:
    _demand(provider, "OrderByParameter")
    for order, downwards in (("created", False), ("created:desc", True)):
        times = [
            str(item.get("created"))
            for item in provider.items(_queried(provider, _ours(provider), ("$orderby", order)))
        ]
        expect(
            len(times) == 5 and times == sorted(times, reverse=downwards), f"$orderby={order} gave {', '.join(times)}"
        )


@check("order-booleans")
def order_booleans(provider: Provider) -> None:
    _demand(provider, "OrderByParameter")
    fixtures.two_meter_configurations(provider)
    listed = provider.items_at(provider.collection("meterConfigs"), _ours(provider), ("$orderby", "isContinuous"))
    values = [item.get("isContinuous") for item in listed]
    expect(values == [False, True], f"they came as {values}")


@check("order-by-several")
def order_by_several(provider: Provider) -> None:
    _ordered(provider, "description,cpu:desc", "dbEca")


@check("order-before-page")
def order_before_page(provider: Provider) -> None:
    _ordered(provider, "cpu:desc", "Ed", ("$last", "2"))
