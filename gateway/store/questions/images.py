"""Questions about images, about Volumes that begin with one, and about the room that is promised to both."""

from __future__ import annotations

from gateway.store.questions import Fetching


async def staged_sizes(store: Fetching) -> dict[str, int]:
    """Return the bytes that each image or Volume being made has by the staging directory, by its path.

    The index of states answers: few are CREATING or ERROR.
    """
    sql = (
        "SELECT path, json_extract(internal, '$.source.size') FROM resources "
        "WHERE kind IN ('MachineImage', 'VolumeImage', 'Volume') AND state IN ('CREATING', 'ERROR') "
        "AND json_extract(internal, '$.way') = 'staged' AND json_extract(internal, '$.source.size') > 0"
    )
    return dict(await store.fetch(sql))


async def waiting_uploads(store: Fetching, project: str) -> int:
    """Return how many images of a project wait for their bytes; every image of the project is looked at."""
    sql = (
        "SELECT count(*) FROM resources WHERE kind IN ('MachineImage', 'VolumeImage') AND project = ? "
        "AND json_extract(internal, '$.source.kind') = 'upload' AND held_by IS NULL"
    )
    count: int = (await store.fetch(sql, (project,)))[0][0]
    return count


async def with_staged_files(store: Fetching) -> set[str]:
    """Return the paths of what may have a folder in the staging directory; every image and Volume is looked at.

    These paths are of images and Volumes that are being made; Jobs with packages, at work or waiting for a download;
    and uploads of packages that a Job takes up.
    """
    sql = (
        "SELECT path FROM resources WHERE kind IN ('MachineImage', 'VolumeImage', 'Volume') "
        "AND (json_extract(internal, '$.source.kind') IS NOT NULL "
        "OR state = 'CREATING' AND json_extract(internal, '$.file_system') IS NOT NULL) "
        "UNION SELECT job FROM plans "
        "UNION SELECT path FROM resources WHERE kind = 'Job' "
        "AND json_extract(document, '$.action') = 'export' AND state = 'SUCCESS' "
        "UNION SELECT 'uploads-' || json_extract(plan, '$.steps[0].arguments.source.upload') FROM plans "
        "WHERE json_extract(plan, '$.steps[0].arguments.source.upload') IS NOT NULL"
    )
    return {path for (path,) in await store.fetch(sql)}


async def promised_bytes(store: Fetching, host: str, pool: str) -> int:
    """Return the bytes that a pool of a host has to keep for its Volumes; every Volume is looked at."""
    sql = (
        "SELECT coalesce(sum(json_extract(internal, '$.bytes')), 0) FROM resources WHERE kind = 'Volume' "
        "AND json_extract(internal, '$.pool') = ? AND json_extract(internal, '$.host') = ?"
    )
    return int((await store.fetch(sql, (pool, host)))[0][0])


async def volume_on_image(store: Fetching, image: str) -> str | None:
    """Return a Volume that lies over a VolumeImage, or is being made from it; every Volume is looked at."""
    sql = (
        "SELECT path FROM resources WHERE kind = 'Volume' AND json_extract(internal, '$.image') = ? "
        "AND (json_extract(internal, '$.overlay') = 1 OR state = 'CREATING') LIMIT 1"
    )
    rows = await store.fetch(sql, (image,))
    return rows[0][0] if rows else None


async def machine_with_disk_on_image(store: Fetching, image: str) -> str | None:
    """Return a Machine with a disk that lies over a VolumeImage, or is being made from it; all are looked at."""
    sql = (
        "SELECT path FROM resources WHERE kind = 'Machine' AND EXISTS ("
        "SELECT 1 FROM json_each(internal, '$.disks') AS disk WHERE json_extract(disk.value, '$.image') = ? "
        "AND (json_extract(disk.value, '$.overlay') = 1 OR state = 'CREATING')) LIMIT 1"
    )
    rows = await store.fetch(sql, (image,))
    return rows[0][0] if rows else None
