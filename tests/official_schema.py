"""The official XML schema of CIMI 1.x (DSP8009 1.0.2), for the tests that validate against it.

It may not be shipped with the project. CI has it beside the project; CIMI_SCHEMA names another place. Tests fail where
it is in neither: a run that has validated nothing is not to pass for one that has.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lxml import etree

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = Path(os.environ.get("CIMI_SCHEMA", ROOT.parent / "shared" / "cimi" / "dsp8009_1.0.2.xsd"))
NAMESPACE = "{http://schemas.dmtf.org/cimi/1}"


def official_schema() -> etree.XMLSchema:
    if not SCHEMA.exists():
        pytest.fail(f"the official schema may not be shipped and is not at {SCHEMA}; CIMI_SCHEMA names another place")
    return etree.XMLSchema(etree.parse(SCHEMA))


def without_slips(root: etree._Element) -> etree._Element:
    """The body less what the text of the standard demands and the schema has no place for.

    The schema allows one ``attribute`` of a ResourceMetadata only, and no text in its ``capability``; its Disk has
    neither an id nor a name nor operations, which every item of a collection has; its ForwardingGroup lists networks in
    place, where the text has a collection of ForwardingGroupNetworks.
    """
    for metadata in root.iter(f"{NAMESPACE}ResourceMetadata"):
        for extra in metadata.findall(f"{NAMESPACE}attribute")[1:]:
            metadata.remove(extra)
        for capability in metadata.findall(f"{NAMESPACE}capability"):
            capability.text = None
    for disk in root.iter(f"{NAMESPACE}Disk"):
        for name in ("id", "name", "operation"):
            for element in disk.findall(f"{NAMESPACE}{name}"):
                disk.remove(element)
    for group in root.iter(f"{NAMESPACE}ForwardingGroup"):
        for element in group.findall(f"{NAMESPACE}networks"):
            group.remove(element)
    return root
