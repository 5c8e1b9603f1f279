"""The offer of Machines, their templates and configurations to the rest of the house."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.machine_core.power_steps import POWER_STEPS
from gateway.orchestration.machines.service import MachineService
from gateway.orchestration.machines.steps import MACHINE_STEPS
from gateway.orchestration.machines.templates import MachineConfigurationService, MachineTemplateService

FAMILY = Family(
    services=(MachineService, MachineConfigurationService, MachineTemplateService),
    steps=(*MACHINE_STEPS, *POWER_STEPS),
)
