"""The doctor finds what is wrong on a host, and says what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from drivers.base import DriverNotFound, PoolFacts
from drivers.memory import MemoryDriver
from gateway.config import load
from gateway.doctor import Finding, examine, forwarding, guests_reach, is_local, kvm
from tests.unit.test_config import HYPERVISOR, POOLS


@pytest.fixture
async def driver() -> MemoryDriver:
    opened = MemoryDriver()
    await opened.open()
    return opened


async def findings(tmp_path: Path, driver: MemoryDriver, hypervisor: str = HYPERVISOR) -> list[Finding]:
    path = tmp_path / "gateway.toml"
    path.write_text('[auth]\nusers_file = "users"\n[store]\npath = "gateway.db"\n' + hypervisor)
    return [finding async for finding in examine(load(path), {"l": driver})]


def said(found: list[Finding], words: str) -> Finding:
    return next(finding for finding in found if words in finding.message)


async def test_a_missing_admin_is_an_error_with_the_command_that_makes_one(
    tmp_path: Path, driver: MemoryDriver
) -> None:
    finding = said(await findings(tmp_path, driver), "no admin")
    assert (finding.level, finding.advice) == ("error", "cimi-gateway user add NAME --role admin")


async def test_a_libvirt_that_does_not_answer_is_an_error(tmp_path: Path, driver: MemoryDriver) -> None:
    driver.lose()
    assert "libvirtd" in said(await findings(tmp_path, driver), "does not answer").advice


async def test_a_pool_that_is_nearly_full_is_a_warning(tmp_path: Path, driver: MemoryDriver) -> None:
    driver.pool_capacity = 1024**3
    assert said(await findings(tmp_path, driver), "bytes free").level == "warning"


async def test_every_configured_pool_is_looked_at_beside_the_default_one(
    tmp_path: Path, driver: MemoryDriver
) -> None:
    driver.inactive.add("fast")
    found = await findings(tmp_path, driver, POOLS + 'name = "fast"\n')
    assert said(found, "pool p has").level == "ok"
    assert said(found, "pool fast is inactive").advice == "virsh pool-start fast"


async def test_a_missing_pool_is_an_error_unless_the_gateway_defines_it_itself(
    tmp_path: Path, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def missing(name: str) -> PoolFacts:
        raise DriverNotFound(f"no pool {name}")

    monkeypatch.setattr(driver, "pool", missing)
    found = await findings(tmp_path, driver, POOLS + 'name = "fast"\nkind = "logical"\nsource = "vg"\n')
    assert said(found, "pool p:").level == "error"
    assert said(found, "pool fast").level == "warning"


async def test_a_pool_of_no_files_has_no_directories_that_guests_must_reach(
    tmp_path: Path, driver: MemoryDriver
) -> None:
    driver.pool_kinds["p"] = "logical"
    found = await findings(tmp_path, driver)
    assert not [finding for finding in found if "pool" in finding.message and "guests" in finding.message]


async def test_an_inactive_network_or_pool_is_an_error_with_the_command_that_starts_it(
    tmp_path: Path, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, network = await driver.pool("default"), await driver.network("default")

    async def stopped_pool(_name: str) -> PoolFacts:
        return replace(pool, active=False)

    async def stopped_network(_name: str) -> object:
        return replace(network, active=False)

    monkeypatch.setattr(driver, "pool", stopped_pool)
    monkeypatch.setattr(driver, "network", stopped_network)
    found = await findings(tmp_path, driver)
    assert said(found, "pool default is inactive").advice == "virsh pool-start default"
    assert said(found, "network default is inactive").advice == "virsh net-start default"


def test_a_directory_that_guests_cannot_get_through_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "pool").mkdir(parents=True)
    closed.chmod(0o700)
    finding = guests_reach("pool", PoolFacts("p", "dir", True, 1, 1, str(closed / "pool")))
    assert finding.level == "warning"
    assert finding.message.startswith("guests cannot get through /")


def test_a_kvm_device_for_root_alone_is_an_error(tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    device.touch(0o600)
    assert "chgrp kvm" in kvm(device).advice


@pytest.mark.parametrize(("value", "level"), [("1\n", "ok"), ("2\n", "ok"), ("0\n", "warning")])
def test_forwarding_that_is_off_is_told(tmp_path: Path, value: str, level: str) -> None:
    switch = tmp_path / "ip_forward"
    switch.write_text(value)
    finding = forwarding(switch)
    assert finding.level == level
    assert bool(finding.advice) is (level == "warning")


@pytest.mark.parametrize(("uri", "local"), [("qemu:///system", True), ("qemu+ssh://host/system", False)])
def test_only_a_hypervisor_on_this_host_is_looked_at(uri: str, local: bool) -> None:
    assert is_local(uri) is local


@pytest.mark.parametrize(("mode", "level"), [(0o600, "ok"), (0o640, "ok"), (0o644, "error"), (0o660, "error")])
async def test_a_users_file_that_others_may_read_or_write_is_an_error(
    tmp_path: Path, driver: MemoryDriver, mode: int, level: str
) -> None:
    users = tmp_path / "users"
    users.touch()
    users.chmod(mode)
    finding = next(finding for finding in await findings(tmp_path, driver) if finding.subject == "secrets")
    assert finding.level == level
    assert str(users) in finding.message
    assert finding.advice == ("" if level == "ok" else f"chmod 0640 {users}")


async def test_a_certificate_that_cannot_be_used_is_an_error_that_names_the_file(
    tmp_path: Path, driver: MemoryDriver
) -> None:
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_text("nonsense")
        (tmp_path / name).chmod(0o600)
    server = '[server]\ntls_certificate = "tls.crt"\ntls_key = "tls.key"\n'
    found = await findings(tmp_path, driver, server + HYPERVISOR)
    assert [finding.level for finding in found if finding.subject == "certificate"] == ["error"]
    assert str(tmp_path / "tls.crt") in said(found, "holds no certificate").message
