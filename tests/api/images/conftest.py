"""Fixtures of the tests of images."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import config
from tests.api.images.transfers import RAW
from tests.web_server import WebServer, serving


@pytest.fixture
def settings(settings: config.Settings) -> config.Settings:
    """Loopback servers may be fetched from, and what stalls is given up soon."""
    object.__setattr__(settings.images, "private_networks", ["127.0.0.0/8"])
    object.__setattr__(settings.images, "stall_seconds", 0.5)
    object.__setattr__(settings.images, "largest", 1024**3)
    return settings


@pytest.fixture
def staging(settings: config.Settings) -> Path:
    return Path(settings.images.staging)


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    async with serving(WebServer(RAW)) as running:
        yield running
