"""The steps of a Volume's jobs, in their order."""

from __future__ import annotations

from gateway.orchestration.common.resource_service import PlannedStep
from gateway.orchestration.common.step import Weighed
from gateway.orchestration.images.steps import filling_steps
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.orchestration.volumes.file_systems import FormatVolume
from gateway.orchestration.volumes.steps import CreateVolume, FitVolume, ReserveVolume
from gateway.store.model import Resource


def create_steps(volume: Resource, times: int = 1) -> tuple[PlannedStep, ...]:
    """Return the steps of a create. Bytes of an image by value take the way of all images, into the Volume itself.

    ``times``: the multiple that the making of the storage counts in the progress of a larger plan.
    """
    kept, path = KeptVolume.of(volume), volume.path
    if kept.file_system is not None:
        return (ReserveVolume(path), Weighed(FormatVolume(path), times))
    if kept.source is None:
        return (Weighed(CreateVolume(path), times),)
    filling = tuple(Weighed(step, times) for step in filling_steps(path, kept.way))
    return (ReserveVolume(path), *filling, FitVolume(path))
