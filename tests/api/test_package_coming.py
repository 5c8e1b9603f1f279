"""Packages of which only a part has come: what is made of it already, and what holds when the gateway dies."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.mortal import Mortal
from tests.api.packages import MIB, described, disk, disks, package, staged
from tests.gateway_process import free_port
from tests.patience import PATIENCE
from tests.unit.ovf.samples import manifest, ova

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(settings: config.Settings) -> config.Settings:
    object.__setattr__(settings.images, "private_networks", ["127.0.0.0/8"])
    return settings


class Stalling:
    """A server that gives an archive up to its second disk, and the rest when it is told to go on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.goes_on = asyncio.Event()
        self.archive, self.second = b"", b""
        self.url = ""
        self.renew()

    def renew(self) -> None:
        """Another first disk, of the same size; the manifest is right."""
        first, second = ("boot.vmdk", disk(self.path, mark=os.urandom(MIB))), disks(self.path)[1]
        sized = f'ovf:href="data.qcow2" ovf:size="{len(second[1])}"'.encode()
        text = ("shop.ovf", described().replace(b'ovf:href="data.qcow2"', sized))
        sums = manifest(text, first, second)
        self.archive, self.second = ova(text, ("shop.mf", sums), first, second), second[1]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        archive, here = self.archive, self.archive.index(self.second)
        answer = web.StreamResponse(headers={"Content-Length": str(len(archive))})
        await answer.prepare(request)
        await answer.write(archive[:here])
        await self.goes_on.wait()
        await answer.write(archive[here:])
        return answer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Stalling]:
    made = Stalling(tmp_path)
    application = web.Application()
    application.router.add_get("/shop.ova", made.serve)
    runner, port = web.AppRunner(application, shutdown_timeout=1), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    made.url = f"http://127.0.0.1:{port}/shop.ova"
    yield made
    await runner.cleanup()


async def asked(client: ApiClient, source: str, collection: str = "systemTemplates") -> str:
    answer = await client.act(collection, "import", source=source)
    assert answer.status == 202, answer.text
    return answer.job


async def images_of(client: ApiClient) -> list[dict[str, Any]]:
    return list((await client.document("machineImages")).get("machineImages", []))


async def first_image(client: ApiClient) -> dict[str, Any]:
    """Of a package whose rest is still to come."""
    async with asyncio.timeout(PATIENCE):
        while not (found := [image for image in await images_of(client) if image["state"] == "AVAILABLE"]):
            await asyncio.sleep(0.02)
    return found[0]


async def test_a_disk_is_an_image_before_the_rest_of_the_package_is_here(admin: ApiClient, server: Stalling) -> None:
    job = await asked(admin, server.url)
    image = await first_image(admin)
    assert (await admin.document(job))["state"] == "RUNNING"
    server.goes_on.set()
    assert (await admin.ended(job))["state"] == "SUCCESS"
    assert (await admin.document(image["id"]))["state"] == "AVAILABLE"


async def test_the_room_for_the_rest_of_it_is_promised_to_nobody_else(
    admin: ApiClient, server: Stalling, gateway: Gateway
) -> None:
    staging = gateway.server._handlers._services["System"].room.images.staging
    job = await asked(admin, server.url)
    await first_image(admin)
    assert sum(staging.coming.values()) == len(server.second)
    server.goes_on.set()
    assert (await admin.ended(job))["state"] == "SUCCESS"
    assert staging.coming == {}


async def test_it_is_nobody_elses_before_all_sums_are_right(
    client: Callable[..., ApiClient], admin: ApiClient, server: Stalling
) -> None:
    job = await asked(admin, server.url)
    await first_image(admin)
    assert await images_of(client("operator")) == []
    server.goes_on.set()
    await admin.ended(job)
    assert len(await images_of(client("operator"))) == 1


async def test_it_is_taken_back_when_a_later_sum_is_wrong(
    admin: ApiClient, gateway: Gateway, driver: MemoryDriver, server: Stalling
) -> None:
    other = server.second.replace(b"data", b"Data")
    server.archive, server.second = server.archive.replace(server.second, other), other
    job = await asked(admin, server.url)
    await first_image(admin)
    server.goes_on.set()
    ended = await admin.ended(job)
    assert (ended["state"], "SHA256" in ended["statusMessage"]) == ("FAILED", True)
    assert (await images_of(admin), driver.state.volumes, staged(gateway)) == ([], {}, [])


async def test_a_stop_ends_the_transfer_and_takes_it_back(
    admin: ApiClient, gateway: Gateway, driver: MemoryDriver, server: Stalling
) -> None:
    job = await asked(admin, server.url)
    await first_image(admin)
    await admin.act(job, "stop")
    assert (await admin.ended(job))["state"] == "STOPPED"
    assert (await images_of(admin), driver.state.volumes, staged(gateway)) == ([], {}, [])


async def test_its_job_is_not_deleted_before_the_whole_one_has_ended(admin: ApiClient, server: Stalling) -> None:
    job = await asked(admin, server.url)
    await first_image(admin)
    [nested] = (await admin.document(job))["nestedJobs"]
    assert (await admin.delete(nested["href"])).status == 409
    server.goes_on.set()
    await admin.ended(job)
    assert (await admin.delete(nested["href"])).status == 200


async def test_a_death_meanwhile_makes_the_import_begin_again_with_the_same_package(
    mortal: Mortal,
    server: Stalling,
) -> None:
    mortal.steps, mortal.dies_after = 0, 1
    job = await asked(mortal.client, server.url)
    await mortal.dead.wait()
    server.goes_on.set()
    ended = await mortal.ended(job)
    assert (ended["state"], len(await images_of(mortal.client))) == ("SUCCESS", 1), ended


async def test_another_package_after_a_death_is_refused_and_leaves_nothing(
    mortal: Mortal,
    driver: MemoryDriver,
    server: Stalling,
) -> None:
    mortal.steps, mortal.dies_after = 0, 1
    job = await asked(mortal.client, server.url)
    await mortal.dead.wait()
    server.renew()
    server.goes_on.set()
    ended = await mortal.ended(job)
    assert (ended["state"], "is another one" in ended["statusMessage"]) == ("FAILED", True), ended
    assert (await images_of(mortal.client), driver.state.volumes, staged(mortal.gateway)) == ([], {}, [])


async def test_a_local_archive_that_is_changed_after_a_death_is_refused_and_leaves_nothing(
    mortal: Mortal,
    driver: MemoryDriver,
    images: Path,
    tmp_path: Path,
) -> None:
    (images / "shop.ova").write_bytes(package(tmp_path))
    mortal.steps, mortal.dies_after = 0, 1
    job = await asked(mortal.client, f"file://{images / 'shop.ova'}")
    await mortal.dead.wait()
    (images / "shop.ova").write_bytes(package(tmp_path))
    ended = await mortal.ended(job)
    assert ended["state"] == "FAILED"
    assert re.search("was changed|is another one", ended["statusMessage"]), ended
    assert (await images_of(mortal.client), driver.state.volumes, staged(mortal.gateway)) == ([], {}, [])
