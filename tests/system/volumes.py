"""Volumes of real guests: how they are made, connected, and seen in pools and guests."""

from __future__ import annotations

from typing import Any

from tests import hypervisor
from tests.cimi_client import CimiClient, wait_until
from tests.guests import in_guest
from tests.urls import uuid_of

CAPACITY = 16_000


def create(capacity: int = CAPACITY, **config: Any) -> dict[str, Any]:
    return {"name": "data", "volumeTemplate": {"volumeConfig": {"capacity": capacity, **config}}}


def file_of(pool: str, volume: str) -> str:
    return next(name for name in hypervisor.files_in(pool) if uuid_of(volume) in name)


def device(machine: str, volume: str) -> str:
    """The device that the guest has the Volume at, found by its serial number."""
    serial = uuid_of(volume)[:20]
    return wait_until(
        lambda: in_guest(machine, f"grep -l {serial} /sys/block/*/serial 2>/dev/null | cut -d/ -f4; true"),
        30,
        f"the guest sees the disk {serial}",
    )


def connect(admin: CimiClient, machine: str, volume: str, **more: Any) -> str:
    answer = admin.request("POST", f"{machine}/volumes", {"volume": {"href": volume}, **more})
    assert answer.status in (201, 202), answer.body
    admin.succeed(answer.job)
    return answer.headers["location"]
