"""The bytes of MachineImages back again, and who may have them. Over the hypervisor in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.api.client import ApiClient
from tests.api.images.transfers import OCTETS, bytes_of, operation, waiting

# Download


async def test_a_download_gives_the_bytes_as_they_are_kept(admin: ApiClient, image: str, images: Path) -> None:
    href = operation(await admin.document(image), "download") or ""
    status, data, headers = await bytes_of(admin, href)
    assert (status, data) == (200, (images / "guest.qcow2").read_bytes())
    assert headers["content-type"] == OCTETS


@pytest.mark.parametrize(
    ("asked", "begin", "end"), [("bytes=0-9", 0, 10), ("bytes=100-", 100, None), ("bytes=-7", -7, None)]
)
async def test_a_part_of_the_bytes_can_be_asked_for(
    admin: ApiClient, image: str, images: Path, asked: str, begin: int, end: int | None
) -> None:
    whole = (images / "guest.qcow2").read_bytes()
    status, data, headers = await bytes_of(admin, f"{image}/download", Range=asked)
    assert (status, data) == (206, whole[begin:end])
    assert headers["content-range"].endswith(f"/{len(whole)}")


async def test_a_range_behind_the_end_is_416(admin: ApiClient, image: str) -> None:
    status, _data, headers = await bytes_of(admin, f"{image}/download", Range="bytes=99999999-")
    assert (status, headers["content-range"]) == (416, "bytes */262144")


async def test_who_may_use_a_shared_image_may_download_it_but_a_viewer_not(
    client: Callable[..., ApiClient], image: str
) -> None:
    assert (await bytes_of(client("operator"), f"{image}/download"))[0] == 200
    assert (await bytes_of(client("viewer"), f"{image}/download"))[0] == 403
    assert operation(await client("viewer").document(image), "download") is None


async def test_another_users_image_cannot_be_downloaded(client: Callable[..., ApiClient], images: Path) -> None:
    own = await client("operator").post("machineImages", {"imageLocation": f"file://{images / 'guest.qcow2'}"})
    assert (await bytes_of(client("other"), f"{own.location}/download"))[0] == 404


async def test_an_image_that_waits_cannot_be_downloaded(admin: ApiClient) -> None:
    image = await waiting(admin)
    assert (await bytes_of(admin, f"{image['id']}/download"))[0] == 409
