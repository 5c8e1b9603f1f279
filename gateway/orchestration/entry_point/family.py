"""The offer of the CloudEntryPoint to the rest of the house."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.entry_point.service import CloudEntryPointService, ResourceMetadataService

FAMILY = Family(services=(CloudEntryPointService, ResourceMetadataService))
