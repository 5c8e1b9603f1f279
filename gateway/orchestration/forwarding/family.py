"""The family of ForwardingGroups, as the rest of the house sees it."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.forwarding.service import (
    ForwardingGroupNetworkService,
    ForwardingGroupService,
    ForwardingGroupTemplateService,
)
from gateway.orchestration.forwarding.steps import FORWARDING_STEPS

FAMILY = Family(
    services=(ForwardingGroupService, ForwardingGroupNetworkService, ForwardingGroupTemplateService),
    steps=FORWARDING_STEPS,
)
