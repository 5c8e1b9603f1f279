"""All services, by the kind they serve."""

from __future__ import annotations

from gateway.cimi.registry import TYPES
from gateway.jobs.steps import StepRegistry
from gateway.orchestration.attachments.service import MachineVolumeService
from gateway.orchestration.attachments.steps import ATTACHMENT_STEPS
from gateway.orchestration.common.containment import MEMBERSHIPS
from gateway.orchestration.common.resource_service import ResourceService, Room
from gateway.orchestration.common.step import RegisteredStep, Step
from gateway.orchestration.common.steps import DriverStep
from gateway.orchestration.credentials.service import CredentialService, CredentialTemplateService
from gateway.orchestration.disks.change_steps import DISK_CHANGE_STEPS
from gateway.orchestration.disks.growth_steps import DISK_GROWTH_STEPS
from gateway.orchestration.disks.service import DiskService
from gateway.orchestration.disks.steps import DISK_STEPS
from gateway.orchestration.entry_point.service import CloudEntryPointService, ResourceMetadataService
from gateway.orchestration.images.steps import IMAGE_STEPS
from gateway.orchestration.interfaces.address_steps import ADDRESS_STEPS
from gateway.orchestration.interfaces.port_steps import PORT_STEPS
from gateway.orchestration.interfaces.service import MachineNetworkInterfaceService
from gateway.orchestration.interfaces.steps import INTERFACE_STEPS
from gateway.orchestration.jobs.service import JobService
from gateway.orchestration.machines.configurations import MachineConfigurationService
from gateway.orchestration.machines.reconcile import DefineAgain
from gateway.orchestration.machines.service import MachineService
from gateway.orchestration.machines.settle import SettleMachine
from gateway.orchestration.machines.steps import MACHINE_STEPS
from gateway.orchestration.machines.templates import MachineTemplateService
from gateway.orchestration.monitoring.logs import EventLogService, EventService
from gateway.orchestration.monitoring.meter_templates import MeterConfigurationService, MeterTemplateService
from gateway.orchestration.monitoring.meters import MeterService
from gateway.orchestration.monitoring.samples import SampleService
from gateway.orchestration.monitoring.templates import EventLogTemplateService
from gateway.orchestration.networks.address_service import (
    AddressService,
    AddressTemplateService,
    InterfaceAddressService,
)
from gateway.orchestration.networks.forwarding_service import (
    ForwardingGroupNetworkService,
    ForwardingGroupService,
    ForwardingGroupTemplateService,
)
from gateway.orchestration.networks.forwarding_steps import FORWARDING_STEPS
from gateway.orchestration.networks.port_service import NetworkPortService
from gateway.orchestration.networks.service import NetworkService
from gateway.orchestration.networks.steps import NETWORK_STEPS
from gateway.orchestration.networks.templates import TEMPLATE_SERVICES
from gateway.orchestration.snapshots.every_step import SNAPSHOT_STEPS
from gateway.orchestration.snapshots.image_service import MachineImageService
from gateway.orchestration.systems.members import MemberService
from gateway.orchestration.systems.packages.steps import PACKAGE_STEPS
from gateway.orchestration.systems.service import SystemService
from gateway.orchestration.systems.steps import SYSTEM_STEPS
from gateway.orchestration.systems.templates import SystemTemplateService
from gateway.orchestration.volumes.capture_steps import CAPTURE_VOLUME_STEPS
from gateway.orchestration.volumes.image_service import VolumeImageService, VolumeVolumeImageService
from gateway.orchestration.volumes.service import VolumeService
from gateway.orchestration.volumes.steps import VOLUME_STEPS
from gateway.orchestration.volumes.templates import VolumeConfigurationService, VolumeTemplateService

FAMILIES: tuple[type[ResourceService], ...] = (
    SystemService,
    SystemTemplateService,
    MachineService,
    MachineImageService,
    MachineConfigurationService,
    MachineTemplateService,
    MachineVolumeService,
    DiskService,
    VolumeService,
    VolumeImageService,
    VolumeVolumeImageService,
    VolumeConfigurationService,
    VolumeTemplateService,
    CredentialService,
    CredentialTemplateService,
    NetworkService,
    NetworkPortService,
    MachineNetworkInterfaceService,
    *TEMPLATE_SERVICES,
    AddressService,
    AddressTemplateService,
    InterfaceAddressService,
    ForwardingGroupService,
    ForwardingGroupNetworkService,
    ForwardingGroupTemplateService,
    JobService,
    ResourceMetadataService,
    CloudEntryPointService,
    EventLogService,
    EventLogTemplateService,
    EventService,
    MeterService,
    MeterTemplateService,
    MeterConfigurationService,
    SampleService,
)


STEPS: tuple[type[Step | DriverStep], ...] = (
    *SYSTEM_STEPS,
    *PACKAGE_STEPS,
    *MACHINE_STEPS,
    *DISK_STEPS,
    *DISK_CHANGE_STEPS,
    *DISK_GROWTH_STEPS,
    *ATTACHMENT_STEPS,
    *INTERFACE_STEPS,
    DefineAgain,
    SettleMachine,
    *IMAGE_STEPS,
    *SNAPSHOT_STEPS,
    *VOLUME_STEPS,
    *CAPTURE_VOLUME_STEPS,
    *NETWORK_STEPS,
    *PORT_STEPS,
    *ADDRESS_STEPS,
    *FORWARDING_STEPS,
)


def build_services(room: Room) -> dict[str, ResourceService]:
    """A service for each declared type; those without a family of their own are read-only."""
    room.families.update({family.kind: family for family in FAMILIES})
    services: dict[str, ResourceService] = {family.kind: family(room) for family in FAMILIES}
    services.update({kind: MemberService(room, kind) for kind in MEMBERSHIPS})
    for kind in TYPES:
        services.setdefault(kind, ResourceService(room, kind))
    room.services.update(services)
    return services


def register_steps(registry: StepRegistry, room: Room) -> None:
    for step in STEPS:
        registry.register(RegisteredStep(step, room) if issubclass(step, Step) else step(room))
