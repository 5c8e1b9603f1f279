"""Images and Volumes: every way that bytes take."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import Any

from gateway.orchestration.common.resource_service import new_resource
from gateway.orchestration.images.catalog import KeptEntry
from tests.api.images.transfers import put
from tests.golden.stage import RAW, Stage


async def image_imports(stage: Stage) -> None:
    """By file, by URL and by upload; straight into the pool, and by the staging directory."""
    direct = await stage.image()
    await stage.make("machineImages", {"imageLocation": f"{stage.files.url}/guest.qcow2"})
    stage.files.ranges = False
    told = hashlib.sha256(stage.files.data).hexdigest()
    staged = {"imageLocation": f"{stage.files.url}/guest.qcow2?token=a-test-secret", "sha256": told}
    by_url = await stage.make("machineImages", staged)
    waiting = await stage.make("machineImages", {"name": "sent", "size": len(RAW)})
    sent = await put(stage.operator, f"{waiting}/upload", RAW)
    assert sent.status == 200, sent.text
    await stage.succeeds(sent)
    await stage.machine(waiting)
    await stage.delete(by_url)
    answer = await stage.admin.delete(direct, Prefer="wait=30")
    assert answer.status == 200, answer.text


async def catalogue(stage: Stage) -> None:
    """An image of the catalogue by URL, with checksums, and a second wish for it while it comes."""
    stage.files.others["/SUMS"] = f"{hashlib.sha512(stage.files.data).hexdigest()}  guest.qcow2\n".encode()
    document = {"name": "distant:1", "checksums": f"{stage.files.url}/SUMS", "userName": "ops"}
    entry = replace(new_resource("CatalogImage", None, document), path="imageCatalog/distant-1")
    async with stage.gateway.store.transaction() as transaction:
        await transaction.insert(KeptEntry(f"{stage.files.url}/guest.qcow2").on(entry))
    hold, upload = asyncio.Event(), stage.driver.storage.upload_volume

    async def held(*arguments: Any) -> None:
        await hold.wait()
        await upload(*arguments)

    stage.driver.storage.upload_volume = held  # type: ignore[method-assign, assignment]
    stage.held = 1
    first = await stage.operator.post("imageCatalog/distant-1/fetch", {})
    second = await stage.admin.post("imageCatalog/distant-1/fetch", {})
    stage.held = 0
    hold.set()
    await stage.succeeds(first)
    await stage.succeeds(second)


def volume(**template: Any) -> dict[str, Any]:
    return {"name": "v", "volumeTemplate": {"volumeConfig": {"capacity": 40_000}, **template}}


async def volumes(stage: Stage) -> None:
    """Empty, formatted, of an image by reference, and of one by value in each way."""
    plain = await stage.make("volumes", volume())
    await stage.make("volumes", volume(volumeConfig={"capacity": 40_000, "format": "ext4"}))
    place = f"file://{stage.home / 'images' / 'guest.qcow2'}"
    image = await stage.make("volumeImages", {"imageLocation": place})
    await stage.make("volumes", volume(volumeImage={"href": image}))
    await stage.make("volumes", volume(volumeImage={"imageLocation": place}))
    stage.files.ranges = False
    await stage.make("volumes", volume(volumeImage={"imageLocation": f"{stage.files.url}/guest.qcow2"}))
    await stage.edit(plain, {"capacity": 80_000})
    await stage.delete(plain)


async def volume_images(stage: Stage) -> None:
    """Of a Volume, in each way to ask for it; and of bytes."""
    made = await stage.make("volumes", volume())
    image = await stage.make(f"{made}/snapshot", {"name": "by action"})
    await stage.make(f"{made}/images", {"name": "by collection"})
    await stage.make("volumeImages", {"name": "by URI", "imageLocation": made})
    await stage.make("volumeImages", {"imageLocation": f"{stage.files.url}/guest.qcow2"})
    waiting = await stage.make("volumeImages", {"name": "sent", "size": len(RAW)})
    sent = await put(stage.operator, f"{waiting}/upload", RAW)
    assert sent.status == 200, sent.text
    await stage.succeeds(sent)
    await stage.delete(image)


async def captures_of_attached_volumes(stage: Stage) -> None:
    """While the guest writes to it, and while it does not run."""
    used = await stage.make("volumes", volume())
    machine = await stage.machine(await stage.image(), volumes=[{"href": used}])
    await stage.make(f"{used}/snapshot", {"name": "of one that runs"})
    await stage.act(machine, "stop", force=True)
    await stage.make(f"{used}/snapshot", {"name": "off"})


STORAGE = {
    play.__name__: play for play in (image_imports, catalogue, volumes, volume_images, captures_of_attached_volumes)
}
