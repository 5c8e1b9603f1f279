"""What the steps of deletes call on a host: of one that is not in the configuration, all that has to be no error.

Which calls these are is read from the code of the steps, and of all that they call.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Iterator
from itertools import pairwise
from types import CodeType, FunctionType, ModuleType
from typing import get_type_hints

import pytest

from drivers.base import PARTS, Driver
from gateway.orchestration.common.hosts import REMOVALS
from gateway.orchestration.common.step import ResourceStep
from gateway.orchestration.registry import STEPS

TELLING_NOTHING = ("None", "bool")
"""What calls return that are made for what they do: a delete has nothing left to do by them."""


def is_order(name: str) -> bool:
    """Return whether it is a call of a Driver's part that changes something, rather than reads or makes it."""
    part, _, method = name.partition(".")
    call = getattr(get_type_hints(getattr(Driver, part).fget)["return"], method, None)
    return inspect.iscoroutinefunction(call) and inspect.get_annotations(call)["return"] in TELLING_NOTHING


def gateways(what: object) -> bool:
    return str(getattr(what, "__module__", "")).startswith("gateway.")


def names_in(code: CodeType) -> set[str]:
    return set(code.co_names).union(*(names_in(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def calls_in(code: CodeType) -> set[str]:
    """Return the calls of parts that the code names: ``domains.start`` of ``driver.domains.start``."""
    said = [each.argval for each in dis.get_instructions(code) if each.opname != "CACHE"]
    found = {f"{part}.{name}" for part, name in pairwise(said) if part in PARTS and isinstance(name, str)}
    return found.union(*(calls_in(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def called(function: FunctionType, owner: type | None) -> Iterator[tuple[FunctionType, type | None]]:
    """The gateway's functions that this one names: its class's, its module's, and those of modules that it names."""
    names, globals_ = names_in(function.__code__), function.__globals__
    named = [globals_[name] for name in names if name in globals_]
    modules = [each for each in named if isinstance(each, ModuleType) and each.__name__.startswith("gateway.")]
    free = [*named, *(getattr(module, name) for module in modules for name in names if hasattr(module, name))]
    yield from ((each, None) for each in free if isinstance(each, FunctionType) and gateways(each))
    for name in names if owner is not None else ():
        method = inspect.getattr_static(owner, name, None)
        if isinstance(method, FunctionType):
            yield method, owner


def orders_of(step: type[ResourceStep]) -> set[str]:
    """The changing calls of a Driver that a step can come to."""
    ahead: list[tuple[FunctionType, type | None]] = [(step.run, step)]  # type: ignore[list-item]
    seen, orders = set[tuple[FunctionType, type | None]](), set[str]()
    while ahead:
        place = ahead.pop()
        if place not in seen:
            seen.add(place)
            orders |= {name for name in calls_in(place[0].__code__) if is_order(name)}
            ahead += called(*place)
    return orders


REMOVING = sorted(
    (step for step in STEPS if issubclass(step, ResourceStep) and step.leaves is not None), key=lambda step: step.name
)


@pytest.mark.parametrize("step", REMOVING, ids=lambda step: step.name)
def test_each_call_that_a_removing_step_comes_to_does_nothing_where_nothing_is(step: type[ResourceStep]) -> None:
    assert orders_of(step) - REMOVALS == set()


def test_the_calls_of_removing_steps_are_seen_through_functions_modules_and_classes() -> None:
    seen = set().union(*map(orders_of, REMOVING))
    assert {
        "addresses.take",
        "addresses.leave",
        "networks.release_host",
        "devices.update_interface",
        "storage.delete_volume",
    } <= seen
