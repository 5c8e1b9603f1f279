"""What the bytes of images offer to the rest of the house."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.images.steps import IMAGE_STEPS

FAMILY = Family(steps=IMAGE_STEPS)
