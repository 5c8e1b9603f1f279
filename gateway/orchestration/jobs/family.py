"""The offer of Jobs to the rest of the house."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.jobs.lines import JobLineService
from gateway.orchestration.jobs.service import JobService

FAMILY = Family(services=(JobService, JobLineService))
