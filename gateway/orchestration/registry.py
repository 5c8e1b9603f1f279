"""All services by the kind they serve, and all steps by their name: both follow from the families."""

from __future__ import annotations

from gateway.cimi.registry import TYPES
from gateway.jobs.plan import StepRegistry
from gateway.orchestration.access.family import FAMILY as ACCESS
from gateway.orchestration.addresses.family import FAMILY as ADDRESSES
from gateway.orchestration.attachments.family import FAMILY as ATTACHMENTS
from gateway.orchestration.common.containment import MEMBERSHIPS
from gateway.orchestration.common.family import Family
from gateway.orchestration.common.resource_service import ResourceService
from gateway.orchestration.common.room import Room
from gateway.orchestration.common.step import RegisteredStep, Step
from gateway.orchestration.credentials.family import FAMILY as CREDENTIALS
from gateway.orchestration.disks.family import FAMILY as DISKS
from gateway.orchestration.entry_point.family import FAMILY as ENTRY_POINT
from gateway.orchestration.forwarding.family import FAMILY as FORWARDING
from gateway.orchestration.images.family import FAMILY as IMAGES
from gateway.orchestration.interfaces.family import FAMILY as INTERFACES
from gateway.orchestration.jobs.family import FAMILY as JOBS
from gateway.orchestration.machines.family import FAMILY as MACHINES
from gateway.orchestration.monitoring.family import FAMILY as MONITORING
from gateway.orchestration.networks.family import FAMILY as NETWORKS
from gateway.orchestration.ports.family import FAMILY as PORTS
from gateway.orchestration.quotas.family import FAMILY as QUOTAS
from gateway.orchestration.snapshots.family import FAMILY as SNAPSHOTS
from gateway.orchestration.systems.family import FAMILY as SYSTEMS
from gateway.orchestration.systems.members import MemberService
from gateway.orchestration.volumes.family import FAMILY as VOLUMES

FAMILIES: tuple[Family, ...] = (
    ENTRY_POINT,
    ACCESS,
    JOBS,
    MONITORING,
    CREDENTIALS,
    IMAGES,
    NETWORKS,
    FORWARDING,
    VOLUMES,
    INTERFACES,
    ADDRESSES,
    PORTS,
    ATTACHMENTS,
    DISKS,
    SNAPSHOTS,
    MACHINES,
    SYSTEMS,
    QUOTAS,
)
STEPS: tuple[type[Step], ...] = tuple(step for family in FAMILIES for step in family.steps)


def build_services(room: Room) -> dict[str, ResourceService]:
    """Return a service for each declared type; a type without a family of its own is read-only."""
    kinds = {service.kind: service for family in FAMILIES for service in family.services}
    room.families.update(kinds)
    services: dict[str, ResourceService] = {kind: service(room) for kind, service in kinds.items()}
    services.update({kind: MemberService(room, kind) for kind in MEMBERSHIPS})
    for kind in TYPES:
        services.setdefault(kind, ResourceService(room, kind))
    room.services.update(services)
    return services


def register_steps(registry: StepRegistry, room: Room) -> None:
    """Make all steps runnable by their names, which stand in plans on disk."""
    for step in STEPS:
        registry.register(RegisteredStep(step, room))
