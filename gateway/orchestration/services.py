"""All services, by the kind they serve."""

from __future__ import annotations

from gateway.cimi.registry import TYPES
from gateway.jobs.steps import StepRegistry
from gateway.orchestration.credential_service import CredentialService, CredentialTemplateService
from gateway.orchestration.images.service import IMAGE_STEPS, MachineImageService
from gateway.orchestration.job_service import JobService
from gateway.orchestration.machines.disk_steps import DISK_STEPS
from gateway.orchestration.machines.service import MachineService
from gateway.orchestration.machines.settle import SettleMachine
from gateway.orchestration.machines.steps import MACHINE_STEPS
from gateway.orchestration.machines.templates import MachineConfigurationService, MachineTemplateService
from gateway.orchestration.metadata_service import CloudEntryPointService, ResourceMetadataService
from gateway.orchestration.resources import ResourceService, Room

FAMILIES: tuple[type[ResourceService], ...] = (
    MachineService,
    MachineImageService,
    MachineConfigurationService,
    MachineTemplateService,
    CredentialService,
    CredentialTemplateService,
    JobService,
    ResourceMetadataService,
    CloudEntryPointService,
)


def build_services(room: Room) -> dict[str, ResourceService]:
    """A service for each declared type; those without a family of their own are read-only."""
    services: dict[str, ResourceService] = {family.kind: family(room) for family in FAMILIES}
    for kind in TYPES:
        services.setdefault(kind, ResourceService(room, kind))
    return services


def register_steps(registry: StepRegistry, room: Room) -> None:
    for step in (*MACHINE_STEPS, *DISK_STEPS, SettleMachine, *IMAGE_STEPS):
        registry.register(step(room))
