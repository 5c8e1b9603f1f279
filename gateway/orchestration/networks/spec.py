"""From a Network as kept to the whole definition that the hypervisor gets."""

from __future__ import annotations

from drivers.base import HypervisorSettings, NetworkSpec, Reservation, Traffic
from gateway.errors import Invalid
from gateway.orchestration.common.names import uuid_of
from gateway.orchestration.networks.ranges import range_spec
from gateway.store.model import Resource


def bridge_name(uuid: str) -> str:
    """At most 15 characters, as the kernel wants it."""
    return f"cimi{uuid.replace('-', '')[:10]}"


def network_spec(
    network: Resource, settings: HypervisorSettings, reservations: tuple[Reservation, ...] = ()
) -> NetworkSpec:
    facts, uuid = network.internal, uuid_of(network)
    return NetworkSpec(
        uuid=uuid,
        network=network.path,
        owner=network.owner or "",
        title=network.name or "",
        forward=facts["forward"],
        bridge=facts["bridge"],
        ranges=tuple(range_spec(entry) for entry in facts["ranges"]),
        mtu=network.document.get("mtu") if facts["forward"] != "bridge" else None,
        domain=f"{uuid[:8]}.{settings.dns_domain}",
        device=settings.public_device or None,
        traffic=traffic_of(network.document.get("classOfService"), settings),
        reservations=reservations,
    )


def class_of_service(wished: str | None, settings: HypervisorSettings, where: str) -> str | None:
    """The configured class of this name, in its own spelling. Raises Invalid, naming the known ones."""
    if wished is None:
        return None
    for known in settings.bandwidth_classes:
        if known.name.casefold() == wished.strip().casefold():
            return known.name
    names = ", ".join(entry.name for entry in settings.bandwidth_classes)
    raise Invalid(f"must be one of {names}" if names else "is not offered: no class is configured", where)


def traffic_of(name: str | None, settings: HypervisorSettings) -> Traffic | None:
    """The limits of a class; none when the configuration does not have it any more."""
    return next((known.traffic for known in settings.bandwidth_classes if known.name == name), None)
