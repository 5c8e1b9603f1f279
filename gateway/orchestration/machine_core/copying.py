"""A running Machine has one of its disks copied at a time."""

from __future__ import annotations

from gateway.errors import Conflict
from gateway.store.reading import Reading


async def refuse_while_copied(store: Reading, machine: str) -> None:
    """Raises Conflict when an image is being made of a disk of this Machine (path) while it runs."""
    rows = await store.fetch(
        "SELECT path FROM resources WHERE kind IN ('MachineImage', 'VolumeImage') AND state = 'CREATING' "
        "AND json_extract(internal, '$.captured') = ?",
        (machine,),
    )
    if rows:
        raise Conflict(f"a disk of {machine} is being copied into {rows[0][0]}; wait for it, or delete that image")
