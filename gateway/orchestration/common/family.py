"""The offer of a folder of resource types to the rest of the house; the registry follows from all these offers."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.orchestration.common.resource_service import ResourceService
from gateway.orchestration.common.step import Step


@dataclass(frozen=True, slots=True)
class Family:
    """The services of a folder's resource types, and the steps that their plans are made of."""

    services: tuple[type[ResourceService], ...] = ()
    steps: tuple[type[Step], ...] = ()
