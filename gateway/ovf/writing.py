"""From an Envelope to a descriptor's XML, in the order of the standard's schema (DSP8023 1.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from lxml import etree

from gateway.ovf.collection_section import section_around
from gateway.ovf.elements import Element
from gateway.ovf.model import Content, Envelope, Hardware, Item, Product, Property, VirtualSystem
from gateway.ovf.model import VirtualSystemCollection as Collection
from gateway.ovf.names import ENVELOPE, EXTENSION, RASD, VSSD
from gateway.ovf.template_section import write_template

NAMESPACES: Any = {None: ENVELOPE, "ovf": ENVELOPE, "rasd": RASD, "vssd": VSSD, "cimi": EXTENSION}


def write_envelope(envelope: Envelope) -> bytes:
    """Return the XML of a descriptor, version 1."""
    root = etree.Element(_name("Envelope"), nsmap=NAMESPACES)
    references = _child(root, "References")
    for file in envelope.files:
        size = None if file.size is None else str(file.size)
        _child(references, "File", id=file.id, href=file.href, size=size)
    _disks(root, envelope)
    _networks(root, envelope)
    _configurations(root, envelope)
    _whole(root, envelope.content)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _name(local: str, namespace: str = ENVELOPE) -> str:
    return f"{{{namespace}}}{local}"


def _child(parent: Element, local: str, text: str | None = None, **attributes: str | None) -> Element:
    """Add an element and return it.

    Attributes that are None are left out; a trailing underscore keeps a word of Python apart.
    """
    given = {_name(name.rstrip("_")): value for name, value in attributes.items() if value is not None}
    element = etree.SubElement(parent, _name(local), given)
    element.text = text
    return element


def _section(parent: Element, local: str, info: str, **attributes: str | None) -> Element:
    section = _child(parent, local, **attributes)
    _child(section, "Info", info)
    return section


def _disks(root: Element, envelope: Envelope) -> None:
    if not envelope.disks:
        return
    section = _section(root, "DiskSection", "Virtual disks")
    for disk in envelope.disks:
        element = _child(
            section,
            "Disk",
            diskId=disk.id,
            fileRef=disk.file,
            capacity=disk.capacity,
            # Readers that know no units take the number for bytes, which is what no unit means.
            capacityAllocationUnits=None if disk.units == "byte" else disk.units,
            format=disk.format or None,
            populatedSize=None if disk.populated is None else str(disk.populated),
        )
        kilobytes = "" if disk.kilobytes is None else str(disk.kilobytes)
        for name, text in (("name", disk.name), ("use", disk.use), ("kilobytes", kilobytes)):
            if text:
                element.set(_name(name, EXTENSION), text)


def _networks(root: Element, envelope: Envelope) -> None:
    if not envelope.networks:
        return
    section = _section(root, "NetworkSection", "Logical networks")
    for network in envelope.networks:
        element = _child(section, "Network", name=network.name)
        if network.kind:
            element.set(_name("networkType", EXTENSION), network.kind)
        if network.description:
            _child(element, "Description", network.description)


def _configurations(root: Element, envelope: Envelope) -> None:
    if not envelope.configurations:
        return
    section = _section(root, "DeploymentOptionSection", "Choices of hardware")
    for choice in envelope.configurations:
        element = _child(section, "Configuration", id=choice.id, default="true" if choice.default else None)
        _child(element, "Label", choice.label or choice.id)
        _child(element, "Description", choice.description or choice.label or choice.id)


def _whole(root: Element, content: Content) -> None:
    """Write the content of the envelope: a collection of one virtual system as that system."""
    if isinstance(content, Collection) and len(content.content) == 1 and isinstance(content.content[0], VirtualSystem):
        system = _content(root, content.content[0])
        _content(section_around(system), replace(content, content=()))
    else:
        _content(root, content)


def _content(parent: Element, content: Content) -> Element:
    kind = "VirtualSystem" if isinstance(content, VirtualSystem) else "VirtualSystemCollection"
    element = _section(parent, kind, content.info or "A virtual system", id=content.id)
    # Several readers show nothing else, though the schema lets it be absent.
    _child(element, "Name", content.name or content.id)
    if content.annotation:
        _child(_section(element, "AnnotationSection", "What it is for"), "Annotation", content.annotation)
    for product in content.products:
        _product(element, product)
    for licence in content.eulas:
        _child(_section(element, "EulaSection", "The licence"), "License", licence)
    if isinstance(content, Collection):
        _startup(element, content)
        write_template(element, content.template)
        for part in content.content:
            _content(element, part)
    else:
        _operating_system(element, content)
        for hardware in content.hardware:
            _hardware(element, hardware, content.name or content.id)
        write_template(element, content.template)
    return element


def _product(parent: Element, product: Product) -> None:
    names = {"class_": product.class_ or None, "instance": product.instance or None}
    section = _section(parent, "ProductSection", "What is told to the guest", **names)
    for local, text in (("Product", product.product), ("Vendor", product.vendor), ("Version", product.version)):
        if text:
            _child(section, local, text)
    for declared in product.properties:
        _property(section, declared)


def _property(section: Element, declared: Property) -> None:
    element = _child(
        section,
        "Property",
        key=declared.key,
        type=declared.type,
        qualifiers=declared.qualifiers or None,
        value=declared.value,
        userConfigurable="true" if declared.user_configurable else "false",
        password="true" if declared.password else None,
    )
    if declared.label:
        _child(element, "Label", declared.label)
    if declared.description:
        _child(element, "Description", declared.description)
    for configuration, value in declared.values.items():
        _child(element, "Value", value=value, configuration=configuration)


def _startup(parent: Element, collection: Collection) -> None:
    if not collection.startup:
        return
    section = _section(parent, "StartupSection", "The order of starting and stopping")
    for item in collection.startup:
        _child(
            section,
            "Item",
            id=item.id,
            order=str(item.order),
            startDelay=str(item.start_delay),
            waitingForGuest="true" if item.waiting_for_guest else "false",
            stopDelay=str(item.stop_delay),
            startAction=item.start_action,
            stopAction=item.stop_action,
        )


def _operating_system(parent: Element, system: VirtualSystem) -> None:
    guest = system.operating_system
    if guest is None:
        return
    section = _section(
        parent,
        "OperatingSystemSection",
        "The guest's system",
        id=str(guest.id),
        version=guest.version or None,
    )
    if guest.description:
        _child(section, "Description", guest.description)


def _hardware(parent: Element, hardware: Hardware, name: str) -> None:
    transport = " ".join(sorted(hardware.transports)) or None
    section = _section(parent, "VirtualHardwareSection", "Virtual hardware", transport=transport)
    settings = {"ElementName": name, "InstanceID": "0", "VirtualSystemType": " ".join(hardware.types) or None}
    _settings(_child(section, "System"), settings.items(), VSSD)
    for item in hardware.items:
        _item(section, item)


def _item(section: Element, item: Item) -> None:
    attributes = {
        "required": None if item.required else "false",
        "configuration": " ".join(sorted(item.configurations)) or None,
        "bound": item.bound or None,
    }
    settings = [
        ("Address", item.address),
        ("AddressOnParent", item.address_on_parent),
        ("AllocationUnits", item.units),
        ("AutomaticAllocation", None if item.allocated else "false"),
        *(("Connection", name) for name in item.connections),
        ("ElementName", item.name or item.instance_id),
        *(("HostResource", name) for name in item.host_resources),
        ("InstanceID", item.instance_id),
        ("Parent", item.parent),
        ("ResourceSubType", item.sub_type),
        ("ResourceType", str(item.type)),
        ("VirtualQuantity", item.quantity),
    ]
    _settings(_child(section, "Item", **attributes), settings, RASD)


def _settings(element: Element, settings: Iterable[tuple[str, str | None]], namespace: str) -> None:
    """Write the settings, which stand in the alphabetical order that the schema of CIM's classes demands."""
    for local, text in settings:
        if text:
            etree.SubElement(element, _name(local, namespace)).text = text
