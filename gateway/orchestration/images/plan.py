"""The steps of an image's jobs, in their order."""

from __future__ import annotations

from gateway.orchestration.common.step import ResourceStep
from gateway.orchestration.images.facts import Route
from gateway.orchestration.images.steps import ConvertImage, CopyImage, StageImage

FILLING: dict[Route, tuple[type[ResourceStep], ...]] = {
    Route.DIRECT: (CopyImage,),
    Route.STAGED: (StageImage, ConvertImage, CopyImage),
}


def filling_steps(path: str, way: Route | None) -> tuple[ResourceStep, ...]:
    """Return the steps that bring the bytes of an image, or of a Volume that begins with one, into its pool."""
    return tuple(step(path) for step in FILLING[way or Route.STAGED])
