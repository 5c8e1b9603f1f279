"""The offer of the Volumes of Machines to the rest of the house."""

from __future__ import annotations

from gateway.orchestration.attachments.service import MachineVolumeService
from gateway.orchestration.attachments.steps import ATTACHMENT_STEPS
from gateway.orchestration.common.family import Family

FAMILY = Family(services=(MachineVolumeService,), steps=ATTACHMENT_STEPS)
