"""The offer of Quotas to the rest of the house."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.quotas.service import QuotaService

FAMILY = Family(services=(QuotaService,))
