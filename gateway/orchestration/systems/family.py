"""The family of Systems, their templates and packages, as the rest of the house sees it."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.systems.packages.steps import PACKAGE_STEPS
from gateway.orchestration.systems.service import SystemService
from gateway.orchestration.systems.steps import SYSTEM_STEPS
from gateway.orchestration.systems.templates import SystemTemplateService

FAMILY = Family(services=(SystemService, SystemTemplateService), steps=(*SYSTEM_STEPS, *PACKAGE_STEPS))
