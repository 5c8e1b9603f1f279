"""The offer of the network interfaces of Machines to the rest of the house."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.interfaces.address_steps import ADDRESS_STEPS
from gateway.orchestration.interfaces.service import MachineNetworkInterfaceService
from gateway.orchestration.interfaces.steps import INTERFACE_STEPS

FAMILY = Family(services=(MachineNetworkInterfaceService,), steps=(*INTERFACE_STEPS, *ADDRESS_STEPS))
