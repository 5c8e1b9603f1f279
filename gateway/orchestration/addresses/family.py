"""The family of Addresses, as the rest of the house sees it."""

from __future__ import annotations

from gateway.orchestration.addresses.service import (
    AddressService,
    AddressTemplateService,
    InterfaceAddressService,
)
from gateway.orchestration.addresses.steps import ADDRESS_STEPS
from gateway.orchestration.common.family import Family

FAMILY = Family(services=(AddressService, AddressTemplateService, InterfaceAddressService), steps=ADDRESS_STEPS)
