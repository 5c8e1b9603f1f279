"""The family of Networks, as the rest of the house sees it."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.networks.group_steps import GROUP_STEPS
from gateway.orchestration.networks.service import NetworkService
from gateway.orchestration.networks.steps import NETWORK_STEPS
from gateway.orchestration.networks.templates import NetworkConfigurationService, NetworkTemplateService

FAMILY = Family(
    services=(NetworkService, NetworkConfigurationService, NetworkTemplateService),
    steps=(*NETWORK_STEPS, *GROUP_STEPS),
)
