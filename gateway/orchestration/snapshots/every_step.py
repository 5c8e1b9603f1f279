"""All steps of this family, for the registry."""

from __future__ import annotations

from gateway.orchestration.common.step import ResourceStep
from gateway.orchestration.snapshots.boot_disk_steps import BOOT_DISK_STEPS
from gateway.orchestration.snapshots.capture_steps import CAPTURE_STEPS
from gateway.orchestration.snapshots.steps import CHAIN_STEPS

SNAPSHOT_STEPS: tuple[type[ResourceStep], ...] = (*CHAIN_STEPS, *CAPTURE_STEPS, *BOOT_DISK_STEPS)
