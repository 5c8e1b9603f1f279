"""The doctor finds what is wrong on a host, and says what to do."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from drivers.base import DriverNotFound, NetworkFacts, PoolFacts
from drivers.images import file_systems
from drivers.memory import MemoryDriver
from gateway.config import load
from gateway.doctor import examine
from gateway.doctor.finding import Finding
from gateway.doctor.host import clock
from gateway.doctor.mending import commands_of, mend
from tests.api.certificates import issued
from tests.unit.configurations import HYPERVISOR, POOLS

VIRSH = "virsh -c test:///default"
REMOTE = HYPERVISOR.replace("test:///default", "qemu+tls://hv1/system?pkipath=/x")


@pytest.fixture
async def driver() -> MemoryDriver:
    opened = MemoryDriver()
    opened.state.pools.add("p")
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


@pytest.mark.parametrize(
    ("confinement", "required", "level", "words"),
    [
        ("apparmor", "true", "ok", "confined by apparmor"),
        ("", "false", "warning", "not confined"),
        ("", "true", "error", "not confined"),
    ],
)
async def test_whether_guests_are_confined_is_told_and_an_error_where_it_is_required(
    tmp_path: Path, driver: MemoryDriver, confinement: str, required: str, level: str, words: str
) -> None:
    driver.state.confinement = confinement
    told = await findings(tmp_path, driver, HYPERVISOR + f"require_confinement = {required}\n")
    assert said(told, words).level == level


async def test_a_libvirt_that_does_not_answer_is_an_error(tmp_path: Path, driver: MemoryDriver) -> None:
    driver.lose()
    assert "libvirtd" in said(await findings(tmp_path, driver), "does not answer").advice


async def test_the_reason_why_a_libvirt_does_not_answer_is_told(tmp_path: Path, driver: MemoryDriver) -> None:
    driver.lose()
    driver.state.reason = "the certificate has expired"
    assert "the certificate has expired" in said(await findings(tmp_path, driver), "does not answer").message


async def test_for_a_remote_libvirt_no_local_service_is_advised(tmp_path: Path, driver: MemoryDriver) -> None:
    driver.lose()
    finding = said(await findings(tmp_path, driver, REMOTE), "does not answer")
    assert finding.advice.startswith("virsh -c 'qemu+tls://hv1/system?pkipath=/x' version")


async def test_an_entry_that_leads_to_anothers_libvirt_is_an_error(tmp_path: Path, driver: MemoryDriver) -> None:
    driver.lose()
    driver.state.twin = "first"
    finding = said(await findings(tmp_path, driver), "leads to the same libvirt as the hypervisor first")
    assert (finding.level, finding.advice) == ("error", "remove one of the two [[hypervisor]] entries")


async def test_of_a_remote_hypervisor_nothing_is_looked_at_on_this_machine(
    tmp_path: Path, driver: MemoryDriver
) -> None:
    found = await findings(tmp_path, driver, REMOTE)
    assert not {"kvm", "forwarding", "packet filter"} & {finding.subject for finding in found}
    assert not [finding for finding in found if finding.message.startswith(("guests reach", "guests cannot"))]


async def test_a_pool_that_is_nearly_full_is_a_warning(tmp_path: Path, driver: MemoryDriver) -> None:
    driver.state.pool_capacity = 1024**3
    assert said(await findings(tmp_path, driver), "bytes free").level == "warning"


async def test_every_configured_pool_is_looked_at_beside_the_default_one(tmp_path: Path, driver: MemoryDriver) -> None:
    driver.state.inactive_pools.add("fast")
    found = await findings(tmp_path, driver, POOLS + 'name = "fast"\n')
    assert said(found, "pool p has").level == "ok"
    assert said(found, "pool fast is inactive").advice == f"{VIRSH} pool-start fast && {VIRSH} pool-autostart fast"


async def test_a_missing_pool_is_an_error_unless_the_gateway_defines_it_itself(
    tmp_path: Path, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def missing(name: str) -> PoolFacts:
        raise DriverNotFound(f"no pool {name}")

    monkeypatch.setattr(driver.storage, "read_pool", missing)
    found = await findings(tmp_path, driver, POOLS + 'name = "fast"\nkind = "logical"\nsource = "vg"\n')
    assert said(found, "pool p:").level == "error"
    assert said(found, "pool fast").level == "warning"


async def test_a_pool_of_no_files_has_no_directories_that_guests_must_reach(
    tmp_path: Path, driver: MemoryDriver
) -> None:
    driver.state.pool_kinds["p"] = "logical"
    found = await findings(tmp_path, driver)
    assert not [finding for finding in found if "pool" in finding.message and "guests" in finding.message]


async def test_an_inactive_network_or_pool_is_an_error_with_the_command_that_starts_it(
    tmp_path: Path, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, network = await driver.storage.read_pool("default"), await driver.networks.read("default")

    async def stopped_pool(_name: str) -> PoolFacts:
        return replace(pool, active=False)

    async def stopped_network(_name: str) -> object:
        return replace(network, active=False)

    monkeypatch.setattr(driver.storage, "read_pool", stopped_pool)
    monkeypatch.setattr(driver.networks, "read", stopped_network)
    found = await findings(tmp_path, driver)
    assert said(found, "pool default is inactive").advice == f"{VIRSH} pool-start p && {VIRSH} pool-autostart p"
    assert said(found, "network default is inactive").advice == (
        f"{VIRSH} net-start default && {VIRSH} net-autostart default"
    )


async def test_what_is_active_and_does_not_start_with_the_host_is_a_warning_with_the_lasting_command(
    tmp_path: Path, driver: MemoryDriver
) -> None:
    driver.state.autostarting.clear()
    driver.state.networks["n"] = replace(driver.state.networks["default"], name="n")
    found = await findings(tmp_path, driver)
    for word, kind, name in (("pool", "pool", "p"), ("network", "net", "n")):
        finding = said(found, f"{word} {name} is active, and does not start with the host")
        assert (finding.level, finding.advice) == ("warning", f"{VIRSH} {kind}-autostart {name}")


async def test_a_missing_pool_is_made_to_last_by_the_advice(
    tmp_path: Path, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def missing(name: str) -> PoolFacts:
        raise DriverNotFound(f"no pool {name}")

    monkeypatch.setattr(driver.storage, "read_pool", missing)
    advice = said(await findings(tmp_path, driver), "pool p:").advice
    define = f"{VIRSH} pool-define-as p dir --target DIRECTORY"
    assert advice == f"{define} && {VIRSH} pool-start p && {VIRSH} pool-autostart p"


async def test_a_network_of_ours_that_should_run_and_does_not_is_an_error(tmp_path: Path, driver: MemoryDriver) -> None:
    facts = NetworkFacts("cimi-1", False, "cimi1", "open", uuid="1", network="networks/1")
    driver.state.networks["cimi-1"] = facts
    assert not [entry for entry in await findings(tmp_path, driver) if "cimi-1" in entry.message]
    driver.state.autostarting.add("network cimi-1")
    finding = said(await findings(tmp_path, driver), "cimi-1 (networks/1) should run and does not")
    assert (finding.level, finding.advice) == ("error", f"{VIRSH} net-start cimi-1")


async def test_a_missing_key_of_the_store_is_an_error(tmp_path: Path, driver: MemoryDriver) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('[auth]\nusers_file = "users"\n[store]\npath = "gateway.db"\nkey = "nowhere"\n' + HYPERVISOR)
    found = [finding async for finding in examine(load(path), {"l": driver})]
    finding = said(found, "nowhere of the store cannot be read")
    assert (finding.level, finding.subject) == ("error", "store key")


async def test_a_key_of_the_store_that_others_may_read_is_an_error(tmp_path: Path, driver: MemoryDriver) -> None:
    key = tmp_path / "gateway.db.key"
    key.write_text("x" * 40)
    key.chmod(0o644)
    found = [finding for finding in await findings(tmp_path, driver) if str(key) in finding.message]
    assert {(finding.level, finding.subject) for finding in found} == {("error", "secrets"), ("error", "store key")}


async def test_where_no_key_is_configured_the_first_start_makes_one(tmp_path: Path, driver: MemoryDriver) -> None:
    assert said(await findings(tmp_path, driver), "made by the first start").level == "ok"
    assert not (tmp_path / "gateway.db.key").exists()


@pytest.mark.parametrize(
    ("tool", "package"), [("mkfs.ext4", "e2fsprogs"), ("mkfs.xfs", "xfsprogs"), ("mkfs.vfat", "dosfstools")]
)
async def test_each_missing_tool_for_file_systems_is_a_warning_with_its_package(
    tmp_path: Path, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch, tool: str, package: str
) -> None:
    monkeypatch.setattr(file_systems, "PATH", str(tmp_path))
    finding = said(await findings(tmp_path, driver), f"{tool} is missing")
    assert (finding.level, finding.advice) == ("warning", f"apt-get install {package}")


def test_each_tool_for_file_systems_is_looked_for() -> None:
    assert {command[0] for command in file_systems.COMMANDS.values()} == set(file_systems.PACKAGES)


async def test_what_is_safe_to_run_is_marked_and_what_a_person_must_decide_is_not(
    tmp_path: Path, driver: MemoryDriver
) -> None:
    driver.state.autostarting.clear()
    driver.state.networks["n"] = replace(driver.state.networks["default"], name="n")
    (tmp_path / "users").write_text("ann:viewer:x\n")
    (tmp_path / "users").chmod(0o644)
    told = await findings(tmp_path, driver)
    assert commands_of(told) == (f"{VIRSH} pool-autostart p", f"{VIRSH} net-autostart n")


async def test_on_the_usual_libvirt_virsh_needs_no_uri(tmp_path: Path, driver: MemoryDriver) -> None:
    driver.state.autostarting.clear()
    told = await findings(tmp_path, driver, HYPERVISOR.replace("test:///default", "qemu:///system"))
    assert "virsh pool-autostart p" in commands_of(told)


async def test_a_name_in_a_command_is_one_word_of_the_shell(tmp_path: Path, driver: MemoryDriver) -> None:
    name = "cimi-1; touch hostile"
    driver.state.networks[name] = NetworkFacts(name, False, "cimi1", "open", uuid="1", network="networks/1")
    driver.state.autostarting.add(f"network {name}")
    (command,) = [entry for entry in commands_of(await findings(tmp_path, driver)) if "net-start" in entry]
    assert shlex.split(command)[-1] == name


@pytest.mark.parametrize(("days", "level"), [(-1, "error"), (3, "warning"), (90, "ok")])
async def test_the_end_of_the_certificate_is_told_before_it_comes(
    tmp_path: Path, driver: MemoryDriver, days: int, level: str
) -> None:
    chain, key = issued(tmp_path, timedelta(days=days))
    tls = f'[server]\ntls_certificate = "{chain}"\ntls_key = "{key}"\n'
    finding = said(await findings(tmp_path, driver, tls + HYPERVISOR), f"{chain}: its last day is")
    assert finding.level == level


@pytest.mark.parametrize(("said_by_systemd", "level"), [("yes", "ok"), ("no", "warning"), ("", "ok")])
def test_a_clock_that_no_time_server_holds_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said_by_systemd: str, level: str
) -> None:
    program = tmp_path / "timedatectl"
    program.write_text(f"#!/bin/sh\necho {said_by_systemd}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert clock().level == level


def test_a_host_without_systemds_clock_is_not_complained_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert clock().level == "ok"


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    assert mend(f"touch {tmp_path}/made") == ""
    assert (tmp_path / "made").exists()
    assert mend("echo 'no such network' >&2; exit 1") == "no such network"
    assert mend("exit 3") == "exit status 3"


async def test_the_usual_pool_is_made_where_everybody_has_it(
    tmp_path: Path, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def missing(name: str) -> PoolFacts:
        raise DriverNotFound(f"no pool {name}")

    monkeypatch.setattr(driver.storage, "read_pool", missing)
    usual = HYPERVISOR.replace("test:///default", "qemu:///system").replace('pool = "p"', 'pool = "default"')
    finding = said(await findings(tmp_path, driver, usual), "pool default:")
    define = "virsh pool-define-as default dir --target /var/lib/libvirt/images"
    assert finding.advice == f"{define} && virsh pool-start default && virsh pool-autostart default"
    assert finding.fixable
