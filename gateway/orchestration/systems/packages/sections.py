"""The sections of a virtual system or collection, by the resource: hardware, products, licences, order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from gateway.orchestration.systems.order import START_ORDER, STARTUP, start_order
from gateway.orchestration.systems.packages.words import (
    EMULATED,
    EULA,
    FACTS,
    OWN_CLASS,
    PREFIX,
    PRODUCT,
    STARTUP_WORDS,
    SYSTEM,
    UNATTACHED,
)
from gateway.ovf.model import Hardware, Item, OperatingSystem, Product, Property, StartupItem
from gateway.ovf.names import Device

CONTROLLER = "3"


def port_item(network: str, mac: str = "", connected: bool = True) -> Item:
    """Return a network card."""
    return Item("", Device.ETHERNET, "", "virtio", address=mac, connections=(network,), allocated=connected)


def memory_item(instance_id: str, kib: int) -> Item:
    """Return the memory in MiB where that is a whole number: many readers take every quantity for MiB."""
    mib, rest = divmod(kib, 1024)
    quantity, units = (kib, "byte * 2^10") if rest else (mib, "byte * 2^20")
    return Item(instance_id, Device.MEMORY, "memory", quantity=str(quantity), units=units)


def hardware_of(
    cpus: int, memory_kib: int, disks: list[str], ports: list[Item], *, awaits_environment: bool
) -> Hardware:
    """Return the hardware of a guest. ``awaits_environment``: it looks for an ISO image with that."""
    items = [
        Item("1", Device.PROCESSOR, f"{cpus} CPUs", quantity=str(cpus)),
        memory_item("2", memory_kib),
        Item(CONTROLLER, Device.SCSI_CONTROLLER, "controller", "VirtioSCSI", address="0"),
    ]
    for place, disk in enumerate(disks):
        resources = (f"ovf:/disk/{disk}",)
        number = str(len(items) + 1)
        items.append(
            Item(
                number,
                Device.DISK,
                f"disk {place + 1}",
                parent=CONTROLLER,
                address_on_parent=str(place),
                host_resources=resources,
            )
        )
    for place, port in enumerate(ports):
        number = str(len(items) + 1)
        items.append(replace(port, instance_id=number, name=f"eth{place}", address_on_parent=str(place)))
    return Hardware((EMULATED,), frozenset({"iso"}) if awaits_environment else frozenset(), tuple(items))


# What stands in properties


def products_of(properties: dict[str, str], alone: Iterable[str] = ()) -> tuple[Product, ...]:
    """Return the package's own properties as they came, a resource's own in a section of its class.

    ``alone`` are ids of Disks that no guest has.
    """
    foreign, own = [], []
    for key, value in properties.items():
        if key in FACTS or key.startswith(STARTUP) or key == START_ORDER:
            continue
        if key.startswith(PREFIX):
            foreign.append(Property(key.removeprefix(PREFIX), value=value, user_configurable=True))
        else:
            own.append(Property(key, value=value, user_configurable=True))
    if disks := " ".join(alone):
        own.append(Property(UNATTACHED, value=disks))
    product = properties.get(PRODUCT, "")
    sections = []
    if foreign or product:
        sections.append(Product(product=product, properties=tuple(foreign)))
    if own:
        sections.append(Product(class_=OWN_CLASS, properties=tuple(own)))
    return tuple(sections)


def eulas_of(properties: dict[str, str]) -> tuple[str, ...]:
    """Return the licences that the properties say."""
    text = properties.get(EULA)
    return (text,) if text else ()


def operating_system_of(properties: dict[str, str]) -> OperatingSystem | None:
    """Return the operating system that the properties say; None where they say none."""
    number, _, description = properties.get(SYSTEM, "").partition(" ")
    return OperatingSystem(int(number), description=description) if number.isdecimal() else None


def startup_of(identity: str, properties: dict[str, str]) -> Iterable[StartupItem]:
    """Yield when a member starts; nothing for one that has no order of its own."""
    if START_ORDER not in properties:
        return
    try:
        order = max(0, start_order(properties))
    except ValueError:
        return
    usual = StartupItem(identity, order)
    given: dict[str, Any] = {}
    for word, name in STARTUP_WORDS.items():
        text = properties.get(f"{STARTUP}{word}")
        if text is not None:
            number = isinstance(getattr(usual, name), int)
            given[name] = (int(text) if text.isdecimal() else 0) if number else text
    yield replace(usual, **given)
