"""The offer of the disks of Machines to the rest of the house."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.disks.change_steps import DISK_CHANGE_STEPS, DISK_GROWTH_STEPS
from gateway.orchestration.disks.service import DiskService
from gateway.orchestration.disks.steps import DISK_STEPS

FAMILY = Family(services=(DiskService,), steps=(*DISK_STEPS, *DISK_CHANGE_STEPS, *DISK_GROWTH_STEPS))
