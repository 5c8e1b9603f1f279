"""A running Machine has one of its disks copied at a time."""

from __future__ import annotations

from gateway.errors import Conflict
from gateway.store.questions.resources import image_of_running_copy
from gateway.store.reading import Reading


async def refuse_while_copied(store: Reading, machine: str) -> None:
    """Raise Conflict when an image is being made of a disk of a Machine (path) while it runs."""
    image = await image_of_running_copy(store, machine)
    if image is not None:
        raise Conflict(f"a disk of {machine} is being copied into {image}; wait for it, or delete that image")
