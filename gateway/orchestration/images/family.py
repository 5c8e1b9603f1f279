"""The family of images' bytes, as the rest of the house sees it."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.images.steps import IMAGE_STEPS

FAMILY = Family(steps=IMAGE_STEPS)
