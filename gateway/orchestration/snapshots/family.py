"""The offer of MachineImages, their snapshots and captures to the rest of the house."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.snapshots.boot_disk_steps import BOOT_DISK_STEPS
from gateway.orchestration.snapshots.capture_steps import CAPTURE_STEPS
from gateway.orchestration.snapshots.image_service import MachineImageService
from gateway.orchestration.snapshots.steps import CHAIN_STEPS

FAMILY = Family(services=(MachineImageService,), steps=(*CHAIN_STEPS, *CAPTURE_STEPS, *BOOT_DISK_STEPS))
