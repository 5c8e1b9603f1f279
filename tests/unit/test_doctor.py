"""The doctor finds what is wrong on a host, and says what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.base import DriverNotFound, NetworkFacts, PoolFacts
from drivers.memory import MemoryDriver
from gateway.config import load
from gateway.doctor import examine, examine_host, forwarding, guests_reach, is_local, kvm
from gateway.findings import Finding
from gateway.router_advertisements import router_advertisements
from tests.unit.test_config import HYPERVISOR, POOLS

REMOTE = HYPERVISOR.replace("test:///default", "qemu+tls://hv1/system?pkipath=/x")


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


async def test_the_reason_why_a_libvirt_does_not_answer_is_told(tmp_path: Path, driver: MemoryDriver) -> None:
    driver.lose()
    driver.reason = "the certificate has expired"
    assert "the certificate has expired" in said(await findings(tmp_path, driver), "does not answer").message


async def test_for_a_remote_libvirt_no_local_service_is_advised(tmp_path: Path, driver: MemoryDriver) -> None:
    driver.lose()
    finding = said(await findings(tmp_path, driver, REMOTE), "does not answer")
    assert finding.advice.startswith("virsh -c 'qemu+tls://hv1/system?pkipath=/x' version")


async def test_an_entry_that_leads_to_anothers_libvirt_is_an_error(tmp_path: Path, driver: MemoryDriver) -> None:
    driver.lose()
    driver.twin = "first"
    finding = said(await findings(tmp_path, driver), "leads to the same libvirt as the hypervisor first")
    assert (finding.level, finding.advice) == ("error", "remove one of the two [[hypervisor]] entries")


async def test_of_a_remote_hypervisor_nothing_is_looked_at_on_this_machine(
    tmp_path: Path, driver: MemoryDriver
) -> None:
    found = await findings(tmp_path, driver, REMOTE)
    assert not {"kvm", "forwarding", "packet filter"} & {finding.subject for finding in found}
    assert not [finding for finding in found if finding.message.startswith(("guests reach", "guests cannot"))]


async def test_a_pool_that_is_nearly_full_is_a_warning(tmp_path: Path, driver: MemoryDriver) -> None:
    driver.pool_capacity = 1024**3
    assert said(await findings(tmp_path, driver), "bytes free").level == "warning"


async def test_every_configured_pool_is_looked_at_beside_the_default_one(
    tmp_path: Path, driver: MemoryDriver
) -> None:
    driver.inactive.add("fast")
    found = await findings(tmp_path, driver, POOLS + 'name = "fast"\n')
    assert said(found, "pool p has").level == "ok"
    assert said(found, "pool fast is inactive").advice == "virsh pool-start fast && virsh pool-autostart fast"


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
    assert said(found, "pool default is inactive").advice == "virsh pool-start p && virsh pool-autostart p"
    assert said(found, "network default is inactive").advice == (
        "virsh net-start default && virsh net-autostart default"
    )


async def test_what_is_active_and_does_not_start_with_the_host_is_a_warning_with_the_lasting_command(
    tmp_path: Path, driver: MemoryDriver
) -> None:
    driver.autostarting.clear()
    driver.known_networks["n"] = replace(driver.known_networks["default"], name="n")
    found = await findings(tmp_path, driver)
    for word, kind, name in (("pool", "pool", "p"), ("network", "net", "n")):
        finding = said(found, f"{word} {name} is active, and does not start with the host")
        assert (finding.level, finding.advice) == ("warning", f"virsh {kind}-autostart {name}")


async def test_a_missing_pool_is_made_to_last_by_the_advice(
    tmp_path: Path, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def missing(name: str) -> PoolFacts:
        raise DriverNotFound(f"no pool {name}")

    monkeypatch.setattr(driver, "pool", missing)
    advice = said(await findings(tmp_path, driver), "pool p:").advice
    assert advice == "virsh pool-define-as p dir --target DIRECTORY && virsh pool-start p && virsh pool-autostart p"


async def test_a_network_of_ours_that_should_run_and_does_not_is_an_error(
    tmp_path: Path, driver: MemoryDriver
) -> None:
    facts = NetworkFacts("cimi-1", False, "cimi1", "open", uuid="1", network="networks/1")
    driver.known_networks["cimi-1"] = facts
    assert not [entry for entry in await findings(tmp_path, driver) if "cimi-1" in entry.message]
    driver.autostarting.add("network cimi-1")
    finding = said(await findings(tmp_path, driver), "cimi-1 (networks/1) should run and does not")
    assert (finding.level, finding.advice) == ("error", "virsh net-start cimi-1 says why")


async def test_a_certificate_that_cannot_be_used_is_an_error_that_names_the_file(
    tmp_path: Path, driver: MemoryDriver
) -> None:
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_text("rubbish")
    tls = '[server]\nlisten = "127.0.0.1:1"\ntls_certificate = "tls.crt"\ntls_key = "tls.key"\n'
    finding = said(await findings(tmp_path, driver, tls + HYPERVISOR), "tls.crt")
    assert (finding.level, finding.subject) == ("error", "tls")


@pytest.mark.parametrize("key", ["directories", "export_directories"])
async def test_a_directory_that_is_not_there_is_told_with_what_the_service_needs(
    tmp_path: Path, driver: MemoryDriver, key: str
) -> None:
    images = f'[images]\n{key} = ["/nowhere/at/all"]\n'
    finding = said(await findings(tmp_path, driver, images + HYPERVISOR), "/nowhere/at/all cannot be")
    assert finding.level == "warning"
    assert ("ReadWritePaths=/nowhere/at/all" in finding.advice) is (key == "export_directories")


ROUTE = "0" * 32 + " 00 " + "0" * 32 + " 00 " + "fe80" + "0" * 28 + " 00000400 00000001 00000000 {flags} {name}\n"


@pytest.fixture
def host_with(tmp_path: Path) -> Callable[[dict[str, str]], tuple[Path, Path]]:
    """The kernel's files of a host whose interfaces have these values of accept_ra."""

    def make(values: dict[str, str], flags: str = "00450003") -> tuple[Path, Path]:
        routes, conf = tmp_path / "ipv6_route", tmp_path / "conf"
        routes.write_text("".join(ROUTE.format(flags=flags, name=f"    {name}") for name in values))
        for name, value in values.items():
            (conf / name).mkdir(parents=True)
            (conf / name / "accept_ra").write_text(f"{value}\n")
        return routes, conf

    return make


@pytest.mark.parametrize("value", ["0", "1"])
def test_an_interface_with_router_advertisements_is_an_error_with_a_lasting_command(
    host_with: Callable[..., tuple[Path, Path]], value: str
) -> None:
    (finding,) = router_advertisements(*host_with({"eth0.100": value}))
    assert finding.level == "error"
    assert "eth0.100" in finding.message
    line, file = "net/ipv6/conf/eth0.100/accept_ra = 2", "/etc/sysctl.d/60-cimi-gateway.conf"
    assert finding.advice == f"echo '{line}' >> {file} && sysctl -p {file}"


def test_each_such_interface_is_named_and_no_other(host_with: Callable[..., tuple[Path, Path]]) -> None:
    found = router_advertisements(*host_with({"eth0": "1", "eth1": "2", "eth2": "1"}))
    assert [finding.message.split()[0] for finding in found] == ["eth0", "eth2"]


def test_an_interface_that_takes_them_also_when_routing_is_well(
    host_with: Callable[..., tuple[Path, Path]],
) -> None:
    assert [finding.level for finding in router_advertisements(*host_with({"eth0": "2"}))] == ["ok"]


def test_an_interface_with_static_routes_is_well(host_with: Callable[..., tuple[Path, Path]]) -> None:
    found = router_advertisements(*host_with({"eth0": "1"}, flags="00000003"))
    assert [finding.level for finding in found] == ["ok"]


def test_a_host_without_ipv6_is_well(tmp_path: Path) -> None:
    assert [finding.level for finding in router_advertisements(tmp_path / "none", tmp_path)] == ["ok"]


def test_router_advertisements_are_told_before_the_forwarding_that_would_end_them(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(HYPERVISOR.replace('uri = "u"', 'uri = "qemu:///system"'))
    subjects = [finding.subject for finding in examine_host(load(path))]
    assert subjects.index("router advertisements") < subjects.index("forwarding")


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


@pytest.mark.parametrize(
    ("confinement", "required", "level"),
    [("apparmor", False, "ok"), ("selinux", True, "ok"), ("", False, "warning"), ("", True, "error")],
)
async def test_guests_that_are_not_confined_are_told(
    confinement: str, required: bool, level: str, tmp_path: Path, driver: MemoryDriver
) -> None:
    driver.confinement = confinement
    setting = f"require_confinement = {str(required).lower()}\n"
    assert said(await findings(tmp_path, driver, HYPERVISOR + setting), "confined").level == level
