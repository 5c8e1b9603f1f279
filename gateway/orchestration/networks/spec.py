"""From a Network as kept to the whole definition that the hypervisor gets."""

from __future__ import annotations

from drivers.base import HypervisorSettings, NetworkSpec, Reservation, Traffic
from gateway.errors import Invalid
from gateway.orchestration.common.names import uuid_of
from gateway.orchestration.networks.facts import KeptNetwork
from gateway.orchestration.networks.ranges import range_spec
from gateway.store.model import Resource


def bridge_name(uuid: str) -> str:
    """Return the name of a Network's bridge: at most 15 characters, as the kernel wants it."""
    return f"cimi{uuid.replace('-', '')[:10]}"


def network_spec(
    network: Resource, settings: HypervisorSettings, reservations: tuple[Reservation, ...] = ()
) -> NetworkSpec:
    """Return what libvirt is to make of a Network that a gateway made."""
    kept, uuid = KeptNetwork.of(network), uuid_of(network)
    return NetworkSpec(
        uuid=uuid,
        network=network.path,
        owner=network.project or "",
        title=network.name or "",
        forward=kept.forward,
        bridge=kept.bridge or "",
        ranges=tuple(range_spec(entry) for entry in kept.ranges),
        mtu=network.document.get("mtu") if kept.forward != "bridge" else None,
        domain=f"{uuid[:8]}.{settings.dns_domain}",
        device=settings.public_device or None,
        traffic=traffic_of(network.document.get("classOfService"), settings),
        reservations=reservations,
    )


def class_of_service(wished: str | None, settings: HypervisorSettings, where: str) -> str | None:
    """Return the configured class of this name, in its own spelling. Raises Invalid, naming all that there are."""
    if wished is None:
        return None
    for configured in settings.bandwidth_classes:
        if configured.name.casefold() == wished.strip().casefold():
            return configured.name
    names = ", ".join(entry.name for entry in settings.bandwidth_classes)
    raise Invalid(f"must be one of {names}" if names else "is not offered: no class is configured", where)


def traffic_of(name: str | None, settings: HypervisorSettings) -> Traffic | None:
    """Return the limits of a class; None when the configuration does not have it any more."""
    return next((entry.traffic for entry in settings.bandwidth_classes if entry.name == name), None)
