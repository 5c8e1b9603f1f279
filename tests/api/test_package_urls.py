"""Packages that are fetched from another server, as archives and as descriptors with files beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from gateway import config
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.packages import described, disks, imported, made, package, staged
from tests.api.systems import members
from tests.gateway_process import free_port

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(settings: config.Settings) -> config.Settings:
    object.__setattr__(settings.images, "private_networks", ["127.0.0.0/8"])
    return settings


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    """What the other server has."""
    directory = tmp_path / "shown"
    directory.mkdir()
    (directory / "shop.ova").write_bytes(package(tmp_path))
    (directory / "shop.ovf").write_bytes(described())
    for name, content in disks(tmp_path):
        (directory / name).write_bytes(content)
    return directory


@pytest.fixture
async def base(shown: Path) -> AsyncIterator[str]:
    async def broken(_request: web.Request) -> web.Response:
        return web.Response(status=500)

    application = web.Application()
    application.router.add_get("/broken.mf", broken)
    application.router.add_static("/", shown)
    runner, port = web.AppRunner(application), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}/"
    await runner.cleanup()


@pytest.mark.parametrize("name", ["shop.ova", "shop.ovf"])
async def test_a_package_is_fetched_by_url(admin: ApiClient, base: str, name: str) -> None:
    system = await made(admin, "systems", f"{base}{name}?token=secret")
    assert sorted(await members(admin, system["id"], "machines")) == ["db", "web"]
    assert system["properties"]["ovf.source"] == f"{base}{name}"


async def test_an_import_can_be_asked_for_in_xml(client: Callable[..., ApiClient], admin: ApiClient, base: str) -> None:
    body = f"""<Action xmlns="http://schemas.dmtf.org/cimi/1">
      <action>http://schemas.dmtf.org/cimi/1/action/import</action><source>{base}shop.ova</source>
      <property key="name">by xml</property></Action>"""
    answer = await client("admin", "xml").post("systemTemplates/import", body.encode())
    assert answer.status == 202, answer.text
    assert answer.xml.tag.endswith("}Job")
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"
    [template] = (await admin.document("systemTemplates"))["systemTemplates"]
    assert (template["name"], template["importImage"]) == ("by xml", f"{base}shop.ova")


async def test_a_file_that_is_not_beside_its_descriptor_is_told(
    admin: ApiClient, gateway: Gateway, base: str, shown: Path
) -> None:
    (shown / "data.qcow2").unlink()
    job = await imported(admin, "systems", f"{base}shop.ovf")
    assert (job["state"], job["returnCode"]) == ("FAILED", 10400)
    assert "no 'data.qcow2'" in job["statusMessage"]
    assert staged(gateway) == []


async def test_a_manifest_that_cannot_be_read_is_not_taken_for_none(
    admin: ApiClient, gateway: Gateway, base: str, shown: Path
) -> None:
    (shown / "broken.ovf").write_bytes(described())
    job = await imported(admin, "systems", f"{base}broken.ovf")
    assert (job["state"], "the server answers 500" in job["statusMessage"]) == ("FAILED", True), job
    assert staged(gateway) == []


@pytest.mark.parametrize(
    "location", ["ftp://example.com/a.ova", "http://user:pw@127.0.0.1/a.ova", "http://169.254.169.254/a.ova"]
)
async def test_a_url_that_must_not_be_fetched_is_refused(admin: ApiClient, location: str) -> None:
    answer = await admin.act("systems", "import", source=location)
    assert (answer.status, answer.message[:7]) == (400, "source:")
