"""Events under faults: nothing that was answered is lost, and what cannot be written does no half thing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cimi_client import CimiClient
from tests.gateway_process import GatewayProcess

pytestmark = pytest.mark.qemu


def everything(client: CimiClient, query: str = "") -> list[dict[str, Any]]:
    return list(client.get(f"eventLogs/everything/events{query}").get("events", []))


def newest(client: CimiClient, count: int) -> list[dict[str, Any]]:
    return everything(client, f"?$orderby=timestamp:desc&$last={count}")


def test_after_sigkill_every_answered_change_and_refusal_is_told(gateway: GatewayProcess) -> None:
    gateway.start()
    client = gateway.client()
    names = []
    for number in range(10):
        made = client.add("machineConfigs", {"name": f"c{number}", "cpu": 1, "memory": 65536})
        names.append(made.headers["location"])
        assert client.request("DELETE", f"machines/none-{number}").status == 404
    gateway.kill()
    gateway.start()
    told = [event["content"] for event in newest(client, 30)]
    accessed = [entry for entry in told if "operation" in entry]
    assert {entry["resource"]["href"] for entry in accessed if entry["operation"] == "add"} == set(names)
    assert len([entry for entry in accessed if entry["operation"] == "DELETE"]) == 10


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB: a new store takes half of it."""
    directory = tmp_path / "small"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(directory)], check=True)
    yield directory
    subprocess.run(["umount", str(directory)], check=True)


@pytest.fixture
def cramped(gateway: GatewayProcess, small_disk: Path) -> Iterator[GatewayProcess]:
    """A running gateway whose store has that disk for itself."""
    whole = gateway.configuration.read_text()
    gateway.configuration.write_text(whole.replace(str(gateway.home / "gateway.db"), str(small_disk / "gateway.db")))
    gateway.start()
    yield gateway
    gateway.kill()


def test_on_a_full_disk_changes_are_refused_whole_and_told_when_there_is_room(
    cramped: GatewayProcess, small_disk: Path
) -> None:
    client = cramped.client()
    document = {"name": "big", "description": "x" * 2000, "cpu": 1, "memory": 65536}
    before = client.get("machineConfigs")["count"]
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as full, pytest.raises(OSError, match="space"):
        while True:
            full.write(bytes(4096))
    statuses = [client.request("POST", "machineConfigs", document).status for _ in range(60)]
    assert 507 in statuses
    made = statuses.count(201)
    # A refusal cannot be written either; its answer is the same as ever.
    assert client.request("DELETE", "machines/none").status == 404
    assert client.get("machineConfigs")["count"] == before + made
    told = everything(client, "?$filter=type='model'")
    assert len([event for event in told if event["content"]["change"] == "create"]) >= made
    filler.unlink()
    assert client.request("POST", "machineConfigs", document).status == 201
    assert newest(client, 1)[0]["outcome"] == "Success"
