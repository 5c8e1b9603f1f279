"""The gateway is killed with SIGKILL in the middle of an import and of an export, over libvirt.

tests/api/test_package_crashes.py tries every step. After the restart each Job ends definite: what it made is whole, or
nothing is left of it, in the pool, among the domains and networks, and in the staging directory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import hypervisor
from tests.api.packages import described, disks, package
from tests.cimi_client import ACTION, Answer, CimiClient
from tests.fault.crashes import after_restart, killed_after
from tests.gateway_process import GatewayProcess
from tests.unit.ovf.samples import ova

pytestmark = pytest.mark.qemu
LONG = 300
KINDS = ("systems", "systemTemplates", "machines", "volumes", "networks", "machineImages", "volumeImages")


@dataclass(frozen=True)
class Left:
    """What there is, as far as a Job may leave something."""

    files: list[str]
    staged: list[str]
    counts: dict[str, int]


def left(gateway: GatewayProcess) -> Left:
    client = gateway.client()
    counts = {kind: client.get(kind)["count"] for kind in KINDS}
    found = gateway.home / "staging"
    staged = sorted(path.name for path in found.iterdir()) if found.exists() else []
    return Left(hypervisor.files_in(gateway.pool), staged, counts)


def clear(client: CimiClient) -> None:
    for kind in ("systems", "systemTemplates", "machineImages", "volumeImages"):
        for entry in client.get(kind).get(kind, []):
            client.remove(entry["id"], LONG)


@pytest.fixture
def gateway(shared: GatewayProcess) -> Iterator[GatewayProcess]:
    """As it was found, before and after."""
    before = left(shared)
    yield shared
    shared.stop()
    shared.start()
    clear(shared.client())
    assert left(shared) == before


@pytest.fixture(scope="module")
def shop_package(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = images / "shop.ova"
    path.write_bytes(package(tmp_path_factory.mktemp("disks")))
    return path


@pytest.fixture(scope="module")
def impossible(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of it is right but the guests' memory, which no host has: only the last step fails."""
    text = described().replace(b">128<", b">99999999<")
    path = images / "impossible.ova"
    path.write_bytes(ova(("shop.ovf", text), *disks(tmp_path_factory.mktemp("disks"))))
    return path


def imported(gateway: GatewayProcess, source: Path, **headers: str) -> Answer:
    document = {"action": ACTION + "import", "source": f"file://{source}"}
    answer = gateway.client().request("POST", "systems/import", document, headers=headers)
    assert answer.status == 202, answer.body
    return answer


def whole(gateway: GatewayProcess) -> None:
    """One System with everything, and nothing beside it."""
    client = gateway.client()
    [system] = client.get("systems")["systems"]
    assert system["state"] == "STOPPED"
    found = {kind: client.get(f"{system['id']}/{kind}")["count"] for kind in ("machines", "volumes", "networks")}
    assert found == {"machines": 2, "volumes": 2, "networks": 1}
    now = left(gateway)
    assert now.staged == []
    assert (now.counts["machineImages"], now.counts["volumeImages"]) == (1, 1)


@pytest.mark.parametrize(("action", "step"), [("import", "import disks"), ("add", "make components")])
def test_an_import_killed_after_a_step_makes_one_whole_system_also_for_who_asks_again(
    gateway: GatewayProcess, shop_package: Path, action: str, step: str
) -> None:
    key = {"Idempotency-Key": f"{action} {step}"}
    killed_after(gateway, action, step)
    answer = imported(gateway, shop_package, **key)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    assert imported(gateway, shop_package, **key).job == answer.job
    whole(gateway)


@pytest.mark.parametrize("step", ["import disks"])
def test_an_undo_of_an_import_that_is_killed_leaves_nothing(
    gateway: GatewayProcess, impossible: Path, step: str
) -> None:
    before = left(gateway)
    killed_after(gateway, "import", step, "undo")
    answer = imported(gateway, impossible)
    assert after_restart(gateway, answer)["state"] == "FAILED"
    assert left(gateway) == before


@pytest.mark.parametrize("step", ["pack disk"])
def test_an_export_killed_after_a_step_writes_a_whole_package(
    gateway: GatewayProcess,
    shop_package: Path,
    images: Path,
    step: str,
) -> None:
    gateway.client().succeed(imported(gateway, shop_package).job, LONG)
    [system] = gateway.client().get("systems")["systems"]
    before = left(gateway)
    killed_after(gateway, "export", step)
    answer = gateway.client().act(system["id"], "export")
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    now = left(gateway)
    assert (now.files, now.counts) == (before.files, before.counts)
    [name] = now.staged
    folder = gateway.home / "staging" / name
    assert sorted(path.name for path in folder.iterdir() if path.suffix == ".vmdk") == [
        f"shop-disk{number}.vmdk" for number in range(1, 5)
    ]
    client = gateway.client()
    client.remove(answer.job)
    assert left(gateway).staged == []
    assert client.get(system["id"])["state"] == "STOPPED"
