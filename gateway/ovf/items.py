"""The lines of virtual hardware as they stand in a descriptor (DSP0243 clause 8)."""

from __future__ import annotations

from lxml import etree

from gateway.ovf.elements import Element, Walk, attribute, local, text_of, truth, where
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.model import Hardware, Item
from gateway.ovf.names import SETTINGS

ITEMS = frozenset({"Item", "StorageItem", "EthernetPortItem"})
MOST_ITEMS = 1000


def read_hardware(walk: Walk, section: Element) -> Hardware:
    """Return the hardware of a VirtualHardwareSection.

    Raises PackageInvalid for too many items, or one without a type.
    """
    children = list(walk.standard_children(section, ITEMS | {"Info", "System"}))
    items = [_item(walk, element) for name, element in children if name in ITEMS]
    if len(items) > MOST_ITEMS:
        raise PackageInvalid(f"a VirtualHardwareSection has more than {MOST_ITEMS} items")
    systems = [element for name, element in children if name == "System"]
    types = text_of(walk.first(systems[0], "VirtualSystemType")) if systems else ""
    transports = (attribute(section, "transport") or "").split()
    return Hardware(tuple(types.split()), frozenset(transports), tuple(items))


def _item(walk: Walk, element: Element) -> Item:
    settings: dict[str, list[str]] = {}
    for child in element:
        if etree.QName(child).namespace in SETTINGS:
            settings.setdefault(local(child), []).append(text_of(child))
        else:
            walk.put_aside(child)

    def first(name: str) -> str:
        return settings.get(name, [""])[0]

    if not first("ResourceType").isdecimal():
        raise PackageInvalid(f"an {where(element)} of hardware has no ResourceType")
    return Item(
        instance_id=first("InstanceID"),
        type=int(first("ResourceType")[:9]),
        name=first("ElementName") or first("Caption"),
        sub_type=first("ResourceSubType"),
        quantity=first("VirtualQuantity"),
        units=first("AllocationUnits"),
        parent=first("Parent"),
        address=first("Address"),
        address_on_parent=first("AddressOnParent"),
        connections=tuple(name for name in settings.get("Connection", []) if name),
        host_resources=tuple(name for name in settings.get("HostResource", []) if name),
        allocated=truth(settings.get("AutomaticAllocation", [None])[0], True),
        required=truth(attribute(element, "required"), True),
        configurations=frozenset((attribute(element, "configuration") or "").split()),
        bound=attribute(element, "bound") or "",
    )
