"""Fixtures of the tests of VolumeImages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import config
from tests.api.client import ApiClient
from tests.api.images.transfers import RAW
from tests.web_server import WebServer, serving


@pytest.fixture
def settings(settings: config.Settings) -> config.Settings:
    """Loopback servers may be fetched from."""
    object.__setattr__(settings.images, "private_networks", ["127.0.0.0/8"])
    return settings


@pytest.fixture
def staging(settings: config.Settings) -> Path:
    return Path(settings.images.staging)


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    async with serving(WebServer(RAW)) as running:
        yield running


@pytest.fixture
async def source(admin: ApiClient, images: Path) -> str:
    """An image of 32 MiB that everybody sees."""
    made = await admin.post("volumeImages", {"imageLocation": f"file://{images / 'guest.qcow2'}", "bootable": True})
    return made.location
