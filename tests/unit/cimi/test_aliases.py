"""Snake-case aliases of the collections follow from the declarations, and hide no collection or action."""

from __future__ import annotations

import pytest

from gateway.cimi.registry import ALIASES, TYPES, VIEWS, canonical, collection_at

ROOTS = [declared for declared in TYPES.values() if declared.parent is None and not declared.singleton]
NESTED = [declared for declared in TYPES.values() if declared.parent is not None]


def place(kind: str | None) -> str:
    """A resource of this kind, as the beginning of a path."""
    if kind is None:
        return ""
    declared = TYPES[kind]
    return f"{place(declared.parent)}{declared.segment}/1/"


@pytest.mark.parametrize(
    ("alias", "segment"),
    [
        ("machine_images", "machineImages"),
        ("machine_templates", "machineTemplates"),
        ("machine_configs", "machineConfigs"),
        ("machine_configurations", "machineConfigs"),
        ("volume_configurations", "volumeConfigs"),
        ("forwarding_group_templates", "forwardingGroupTemplates"),
        ("resource_metadata", "resourceMetadata"),
        ("event_logs", "eventLogs"),
    ],
)
def test_root_collections_have_aliases_in_snake_case(alias: str, segment: str) -> None:
    assert canonical(alias) == segment
    assert canonical(f"{alias}/1") == f"{segment}/1"
    assert canonical(f"{alias}/1/download") == f"{segment}/1/download"


def test_nested_collections_have_them_too() -> None:
    assert canonical("machines/1/network_interfaces/eth0/addresses") == "machines/1/networkInterfaces/eth0/addresses"
    assert canonical("volume_images/1") == "volumeImages/1"
    assert canonical("networks/1/network_ports") == "networks/1/networkPorts"


@pytest.mark.parametrize("declared", [*ROOTS, *NESTED], ids=lambda declared: declared.kind)
def test_every_collection_whose_name_has_capitals_has_an_alias(declared: object) -> None:
    segment, parent = declared.segment, declared.parent  # type: ignore[attr-defined]
    names = {alias for (kind, alias), target in ALIASES.items() if (kind, target) == (parent, segment)}
    assert names or segment == segment.lower()
    assert all(alias == alias.lower() for alias in names)
    assert {canonical(f"{place(parent)}{alias}") for alias in names} <= {f"{place(parent)}{segment}"}


def test_no_alias_hides_a_collection_or_an_action() -> None:
    for kind, alias in ALIASES:
        assert collection_at(f"{place(kind)}{alias}") is None
        assert kind is None or TYPES[kind].action(alias) is None
    assert not {(owner, segment) for owner, segment in VIEWS} & set(ALIASES)


@pytest.mark.parametrize("path", ["", "/", "machines", "machine_images_x", "x/machine_images", "cloudEntryPoint", "//"])
def test_what_is_no_alias_stays(path: str) -> None:
    assert canonical(path) == path
