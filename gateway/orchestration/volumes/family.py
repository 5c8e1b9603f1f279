"""The family of Volumes and VolumeImages, as the rest of the house sees it."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.volumes.capture_steps import CAPTURE_VOLUME_STEPS
from gateway.orchestration.volumes.image_service import VolumeImageService, VolumeVolumeImageService
from gateway.orchestration.volumes.service import VolumeService
from gateway.orchestration.volumes.steps import VOLUME_STEPS
from gateway.orchestration.volumes.templates import VolumeConfigurationService, VolumeTemplateService

FAMILY = Family(
    services=(
        VolumeService,
        VolumeImageService,
        VolumeVolumeImageService,
        VolumeConfigurationService,
        VolumeTemplateService,
    ),
    steps=(*VOLUME_STEPS, *CAPTURE_VOLUME_STEPS),
)
