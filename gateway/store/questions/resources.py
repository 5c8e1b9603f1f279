"""Questions about resources by what is kept of them beside their documents."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.store.questions import Fetching, marks


async def existing(store: Fetching, paths: Sequence[str]) -> set[str]:
    """Return those of the paths at which there is a resource; by the primary key. At most some hundred paths."""
    sql = f"SELECT path FROM resources WHERE path IN ({marks(paths)})"  # noqa: S608
    return {path for (path,) in await store.fetch(sql, paths)}


async def image_of_running_copy(store: Fetching, machine: str) -> str | None:
    """Return the image that a disk of a Machine is being copied into; by the index of states: few are CREATING."""
    sql = (
        "SELECT path FROM resources WHERE kind IN ('MachineImage', 'VolumeImage') AND state = 'CREATING' "
        "AND json_extract(internal, '$.captured') = ? LIMIT 1"
    )
    rows = await store.fetch(sql, (machine,))
    return rows[0][0] if rows else None


async def machine_on_image(store: Fetching, image: str) -> str | None:
    """Return a Machine whose boot disk lies over an image, or is being made of it; every Machine is looked at."""
    sql = (
        "SELECT path FROM resources WHERE kind = 'Machine' AND (json_extract(internal, '$.next_image') = ?1 "
        "OR (json_extract(internal, '$.image') = ?1 AND json_extract(internal, '$.overlay') = 1)) LIMIT 1"
    )
    rows = await store.fetch(sql, (image,))
    return rows[0][0] if rows else None


async def volume_at(store: Fetching, host: str, path: str) -> str | None:
    """Return the Volume whose storage is at a path of a host; every Volume is looked at."""
    sql = (
        "SELECT path FROM resources WHERE kind = 'Volume' AND json_extract(internal, '$.path') = ? "
        "AND json_extract(internal, '$.host') = ? LIMIT 1"
    )
    rows = await store.fetch(sql, (path, host))
    return rows[0][0] if rows else None


async def sizes_by_state(store: Fetching) -> list[tuple[str, str, int]]:
    """Return kind, state and number of the resources in root collections; from the table that counts them."""
    sql = "SELECT kind, state, sum(size) FROM counts WHERE parent = '' GROUP BY kind, state ORDER BY kind, state"
    return [(kind, state, size) for kind, state, size in await store.fetch(sql)]
