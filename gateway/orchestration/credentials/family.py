"""The offer of Credentials to the rest of the house."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.credentials.service import CredentialService, CredentialTemplateService

FAMILY = Family(services=(CredentialService, CredentialTemplateService))
