"""The family of NetworkPorts, as the rest of the house sees it."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.ports.service import NetworkPortService
from gateway.orchestration.ports.steps import PORT_STEPS
from gateway.orchestration.ports.templates import NetworkPortConfigurationService, NetworkPortTemplateService

FAMILY = Family(
    services=(NetworkPortService, NetworkPortConfigurationService, NetworkPortTemplateService), steps=PORT_STEPS
)
