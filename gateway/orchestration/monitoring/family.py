"""The offer of events, logs and meters to the rest of the house."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.monitoring.logs import EventLogService, EventService
from gateway.orchestration.monitoring.meters import MeterService
from gateway.orchestration.monitoring.samples import SampleService
from gateway.orchestration.monitoring.templates import (
    EventLogTemplateService,
    MeterConfigurationService,
    MeterTemplateService,
)

FAMILY = Family(
    services=(
        EventLogService,
        EventLogTemplateService,
        EventService,
        MeterService,
        MeterTemplateService,
        MeterConfigurationService,
        SampleService,
    )
)
