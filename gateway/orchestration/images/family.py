"""The family of images' bytes, as the rest of the house sees it."""

from __future__ import annotations

from gateway.orchestration.common.family import Family
from gateway.orchestration.images.catalog import CATALOG_STEPS, CatalogImageService
from gateway.orchestration.images.steps import IMAGE_STEPS

FAMILY = Family(services=(CatalogImageService,), steps=(*IMAGE_STEPS, *CATALOG_STEPS))
