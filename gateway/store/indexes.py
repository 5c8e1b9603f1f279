"""The index that seeks each attribute, one for each that $filter compares (DSP0263 4.1.6.1)."""

from __future__ import annotations

from gateway.cimi.registry import TYPES
from gateway.cimi.resource_type import ResourceType
from gateway.store.filter_sql import COLUMNS, operand

OF_COLUMNS = {"name": "resources_by_name", "state": "resources_by_state"}
"""Made by the migrations, for all kinds."""
UNINDEXED = frozenset({"description", "statusMessage", "key"})


def index_of(declared: ResourceType, attribute: str) -> str | None:
    """Return the name of an attribute's index; None for an attribute that is not sought by itself."""
    if attribute in COLUMNS:
        return OF_COLUMNS.get(attribute)
    if attribute in UNINDEXED or attribute in declared.collections or attribute not in declared.filter_types:
        return None
    return f"by_{declared.kind}_{attribute}"


def statements() -> list[str]:
    """Return the SQL of the indexes that the declarations ask for, beside those of columns.

    The parent and the audience stand in the indexes too, so that counting reads nothing else.
    """
    return [
        f"CREATE INDEX {index_of(declared, attribute)} ON resources "
        f"({operand(attribute, kind)}, created, path, parent, audience) WHERE kind = '{declared.kind}'"
        for declared in TYPES.values()
        if not declared.series and not declared.singleton
        for attribute, kind in declared.filter_types.items()
        if attribute not in COLUMNS and index_of(declared, attribute) is not None
    ]
