"""The gateway on a Debian 12 host with systemd, installed by the README's own commands.

One host for all of them, in their order: what one test changes it puts back.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator

import pytest

from demo.guest_image import build
from tests.cimi_client import wait_until
from tests.host import debian_tree, readme
from tests.host.client import BASE, PASSWORD, act, answers, ask, started_machine
from tests.host.machine import CHECKOUT, SECONDS, HostMachine, host_machine
from tests.source import ROOT

pytestmark = pytest.mark.timeout(2400)
SECTION = "As a service"
CONFIG = "/etc/cimi-gateway/gateway.toml"
ROUTER = """[Unit]
Description=An upstream router that advertises IPv6
DefaultDependencies=no
Before=libvirtd.service libvirtd.socket
After=systemd-sysctl.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'ip netns add router; ip link add eth0 type veth peer name up0 netns router; \\
  ip link set eth0 up; ip -n router link set up0 up; \\
  ip netns exec router python3 /root/cimi-gateway/tests/host/advertise.py up0 2001:db8:1:: & \\
  for i in $$(seq 600); do grep -q " 0045.* eth0" /proc/net/ipv6_route && exit 0; sleep 0.1; done; exit 1'

[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostMachine]:
    """A host on which the README's commands were typed, one after the other."""
    tree = debian_tree.tree(readme.packages_of(SECTION))
    with host_machine(tree, debian_tree.wheels()) as machine:
        (machine.checkout / "gateway/removed_later.py").touch()
        machine.start()
        for command in readme.commands_of(SECTION):
            machine.must(command, stdin=f"{PASSWORD}\n", cwd=CHECKOUT)
        built = build(tmp_path_factory.mktemp("image") / "guest.qcow2")
        shutil.copyfile(built, machine.checkout / "guest.qcow2")
        images = "/var/lib/cimi-gateway/images"
        machine.must(f"install -m 0640 -g cimi-gateway {CHECKOUT}/guest.qcow2 {images}/guest.qcow2")
        yield machine


def restart(host: HostMachine) -> None:
    host.must("systemctl restart cimi-gateway")
    wait_until(lambda: answers(host), SECONDS, "the gateway is ready")


def doctor(host: HostMachine) -> tuple[int, str]:
    said = host.run("cimi-gateway doctor")
    assert "Traceback" not in said.err
    return said.status, said.out


def configured(host: HostMachine, **changes: str) -> str:
    """Write the shipped configuration with lines more in the sections; the text that was there before."""
    before = host.must(f"cat {CONFIG}")
    text = before
    for section, lines in changes.items():
        text = text.replace(f"[{section}]\n", f"[{section}]\n{lines}\n", 1)
    host.write(CONFIG, text)
    return before


# After the README's commands


def test_the_service_runs_as_its_own_user_and_the_doctor_has_nothing_to_mend(host: HostMachine) -> None:
    wait_until(lambda: answers(host), SECONDS, "the gateway is ready")
    assert host.property("ActiveState") == "active"
    user = host.must(f"stat -c %U /proc/{host.property('MainPID')}").strip()
    assert user == "cimi-gateway"
    status, said = doctor(host)
    assert status == 0, said
    assert "looked as cimi-gateway" in said
    assert "does not start with the host" not in said


def test_systemd_finds_nothing_wrong_with_the_unit(host: HostMachine) -> None:
    said = host.run("systemd-analyze verify cimi-gateway.service")
    assert (said.status, said.err) == (0, "")


def test_the_configuration_is_for_root_and_the_service_alone(host: HostMachine) -> None:
    assert host.must(f"stat -c '%U %G %a' {CONFIG}").strip() == "root cimi-gateway 640"


# What runs


def test_root_runs_no_code_of_the_working_directory(host: HostMachine) -> None:
    host.must("mkdir -p /tmp/hostile/gateway && echo 'print(\"hostile\")' | "
              "tee /tmp/hostile/gateway/__init__.py >/tmp/hostile/gateway/__main__.py")  # fmt: skip
    assert host.must("cimi-gateway --version", cwd="/tmp/hostile").startswith("cimi-gateway, version ")
    assert host.must(f"cimi-gateway check --config {CONFIG}", cwd="/tmp/hostile").endswith("valid\n")


@pytest.fixture(scope="module")
def machine(host: HostMachine) -> str:
    """URL of a Machine that was started."""
    return started_machine(host)


def test_a_clients_machine_boots_its_guest(host: HostMachine, machine: str) -> None:
    operations = ask(host, "GET", machine)["operations"]
    (console,) = [entry["href"] for entry in operations if entry["rel"].endswith("/action/console")]
    fetch = f"curl -sf -u admin:{shlex.quote(PASSWORD)} -X POST {shlex.quote(console)}"
    wait_until(lambda: "READY" in host.run(fetch).out, SECONDS, "the guest has booted")


def test_a_job_is_in_the_journal_from_its_first_step_on(host: HostMachine, machine: str) -> None:
    path = machine.removeprefix(BASE)
    act(host, machine, "pause")
    lines = host.journal(f"CIMI_MACHINE={path}")
    jobs = [line["CIMI_JOB"] for line in lines if line.get("CIMI_JOB")]
    wait_until(lambda: host.journal(f"CIMI_JOB={jobs[-1]}", "CIMI_STATE=SUCCESS"), SECONDS, "the Job's end is there")
    last = [line for line in host.journal(f"CIMI_JOB={jobs[-1]}") if "CIMI_JOB" in line]
    assert last[0]["MESSAGE"] == f'{jobs[-1]}  begin: pause {path} "web" by admin'
    assert last[1]["MESSAGE"].endswith(": begins")
    assert last[-1]["CIMI_STATE"] == "SUCCESS"
    assert {line["CIMI_MACHINE"] for line in last} == {path}
    assert {line["CIMI_USER"] for line in last} == {"admin"}
    assert max(len(line["MESSAGE"]) for line in lines) <= 240


def test_the_journal_shows_of_a_job_what_jobs_tail_shows(host: HostMachine, machine: str) -> None:
    newest = host.must("cimi-gateway jobs list --limit 1").split()[1]
    act(host, machine, "start")
    job = host.must("cimi-gateway jobs list --limit 1").split()[1]
    assert job != newest
    tailed = [line.split("  ", 2)[2] for line in host.must("cimi-gateway jobs tail").splitlines() if job in line]
    assert [line["MESSAGE"] for line in host.journal(f"CIMI_JOB={job}", "SYSLOG_IDENTIFIER=cimi-gateway")] == [
        line.strip() for line in tailed
    ]


# Configuration


def service_messages(host: HostMachine) -> list[str]:
    """What the service said, with its last words: the journal no longer learns the unit of a process that has ended."""
    lines = host.journal("SYSLOG_IDENTIFIER=cimi-gateway", "+", "_SYSTEMD_UNIT=cimi-gateway.service")
    return [str(line["MESSAGE"]) for line in lines]


def test_a_wrong_configuration_ends_with_78_and_is_not_started_again(host: HostMachine) -> None:
    before = configured(host, server='lisen = "nowhere"')
    host.must("systemctl reset-failed cimi-gateway; systemctl stop cimi-gateway")
    assert host.run("systemctl start cimi-gateway").status != 0
    assert host.property("ActiveState") == "failed"
    assert (host.property("ExecMainStatus"), host.property("NRestarts")) == ("78", "0")
    assert any("lisen" in message for message in service_messages(host))
    host.write(CONFIG, before)
    host.must("systemctl start cimi-gateway")
    wait_until(lambda: answers(host), SECONDS, "the gateway is ready")


def test_check_and_the_service_name_a_key_that_only_root_can_read(host: HostMachine) -> None:
    directory = "/etc/cimi-gateway"
    host.must(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=hv1 -days 2 "
        f"-keyout {directory}/tls.key -out {directory}/tls.crt && chmod 0644 {directory}/tls.crt"
    )
    tls = f'tls_certificate = "{directory}/tls.crt"\ntls_key = "{directory}/tls.key"'
    before = configured(host, server=tls)
    for command in ("cimi-gateway check", "cimi-gateway doctor"):
        said = host.run(command)
        assert said.status != 0
        assert f"{directory}/tls.key: cannot be read: Permission denied" in said.out + said.err
    assert host.run("systemctl restart cimi-gateway").status != 0
    assert host.property("ExecMainStatus") == "78"
    told = service_messages(host)
    assert any("tls.key: cannot be read: Permission denied" in message for message in told), told[-20:]
    host.must(f"chgrp cimi-gateway {directory}/tls.key && chmod 0640 {directory}/tls.key")
    assert host.must("cimi-gateway check").endswith("valid\n")
    host.write(CONFIG, before)
    restart(host)


def test_doctor_sees_of_directories_what_the_service_sees(host: HostMachine) -> None:
    host.must("mkdir -p /home/admin/images /tmp/images /srv/images /srv/export && chmod 0755 /home/admin /tmp/images"
              " && chown cimi-gateway /srv/export")  # fmt: skip
    places = ("/home/admin/images", "/tmp/images", "/srv/images")
    before = host.must(f"cat {CONFIG}")
    lines = f'export_directories = ["/srv/export"]\ndirectories = {json.dumps([*places])}'
    host.write(CONFIG, re.sub(r"^directories = .*$", lines, before, flags=re.MULTILINE))
    _, said = doctor(host)
    for hidden in places[:2]:
        assert f"warning images: {hidden} cannot be read" in said
    assert "ok      images: /srv/images" in said
    assert "warning exports: /srv/export cannot be written" in said
    host.must(f"install -D {CHECKOUT}/guest.qcow2 /home/admin/images/guest.qcow2")
    host.must("mkdir -p /etc/systemd/system/cimi-gateway.service.d")
    host.write("/etc/systemd/system/cimi-gateway.service.d/files.conf", drop_in())
    host.must("systemctl daemon-reload")
    _, said = doctor(host)
    assert "ok      images: /home/admin/images" in said
    assert "ok      exports: /srv/export" in said
    restart(host)
    ask(host, "POST", "machineImages", {"imageLocation": "file:///home/admin/images/guest.qcow2"})
    host.write(CONFIG, before)
    host.must("rm -r /etc/systemd/system/cimi-gateway.service.d && systemctl daemon-reload")
    restart(host)


def drop_in() -> str:
    """The drop-in that docs/operations.md shows, with its own paths."""
    text = (ROOT / "docs/operations.md").read_text().partition("systemctl edit cimi-gateway")[2]
    block = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    return "\n".join(block) + "\n"


# Another version


def test_a_second_install_keeps_the_settings_and_takes_away_what_is_gone_from_the_source(host: HostMachine) -> None:
    removed = "/usr/lib/cimi-gateway/gateway/removed_later.py"
    host.must(f"test -e {removed}")
    before = configured(host, jobs="workers = 5")
    owner = host.must(f"stat -c '%U %G %a' {CONFIG}")
    (host.checkout / "gateway/removed_later.py").unlink()
    host.must("make install", cwd=CHECKOUT)
    assert "workers = 5\n" in host.must(f"cat {CONFIG}")
    assert host.must(f"stat -c '%U %G %a' {CONFIG}") == owner
    assert host.run(f"test -e {removed}").status != 0
    restart(host)
    host.write(CONFIG, before)


# Routers that advertise


@pytest.fixture(scope="module")
def network(host: HostMachine, machine: str) -> str:
    """URL of a Network that was made before there was a router."""
    template = {"networkConfig": {"networkType": "PRIVATE"}}
    made = ask(host, "POST", "networks", {"name": "lan", "networkTemplate": template})
    assert made["state"] == "STARTED"
    return str(made["id"])


@pytest.fixture(scope="module")
def rebooted(host: HostMachine, machine: str, network: str) -> HostMachine:
    """The host after a reboot, with IPv6 by router advertisement from then on."""
    host.write("/etc/systemd/system/router.service", ROUTER)
    host.must("systemctl enable router")
    host.must("virsh net-autostart default --disable && virsh pool-autostart default --disable")
    ask(host, "PUT", f"{machine}?$select=autostart", {"autostart": True})
    host.reboot()
    wait_until(lambda: answers(host), SECONDS, "the gateway is ready after the reboot")
    return host


def alarms(host: HostMachine, network: str) -> str:
    log = ask(host, "GET", network)["eventLog"]["href"]
    return json.dumps(ask(host, "GET", f"{log}/events?$filter=type='alarm'"))


def test_after_a_reboot_the_pool_and_network_that_the_configuration_names_run(rebooted: HostMachine) -> None:
    assert "Active:         yes" in rebooted.must("virsh net-info default")
    assert "State:          running" in rebooted.must("virsh pool-info default")
    _, said = doctor(rebooted)
    for kind in ("pool", "net"):
        assert f"virsh {kind}-autostart default" in said


def test_a_network_that_the_host_does_not_let_run_is_in_error_and_told(rebooted: HostMachine, network: str) -> None:
    wait_until(lambda: ask(rebooted, "GET", network)["state"] == "ERROR", SECONDS, "the Network is in ERROR")
    assert "accept_ra" in alarms(rebooted, network)
    status, said = doctor(rebooted)
    assert status == 1
    assert "should run and does not" in said
    assert "eth0 gets its IPv6 by router advertisement with accept_ra=1" in said


def test_a_machine_with_autostart_runs_again_though_another_network_does_not(
    rebooted: HostMachine, machine: str
) -> None:
    wait_until(lambda: ask(rebooted, "GET", machine)["state"] == "STARTED", SECONDS, "the Machine runs")
    begun = [line["MESSAGE"] for line in rebooted.journal("CIMI_STEP=begin", "CIMI_ACTION=start")]
    assert begun[-1].endswith('"web" by the gateway for admin: its host has booted')


def test_with_the_doctors_advice_it_runs_again_by_itself(rebooted: HostMachine, network: str) -> None:
    _, said = doctor(rebooted)
    (advice,) = [line.partition("-> ")[2] for line in said.splitlines() if "accept_ra = 2" in line]
    rebooted.must(advice)
    wait_until(lambda: ask(rebooted, "GET", network)["state"] == "STARTED", SECONDS, "the Network runs again")
    assert "started again" in alarms(rebooted, network)
    _, said = doctor(rebooted)
    assert "ok      router advertisements" in said


def test_uninstall_leaves_a_host_without_the_service_and_with_its_settings(rebooted: HostMachine) -> None:
    rebooted.must("systemctl disable --now cimi-gateway")
    rebooted.must("make uninstall", cwd=CHECKOUT)
    rebooted.must(f"test -e {CONFIG} && test ! -e /usr/bin/cimi-gateway && test ! -e /usr/lib/cimi-gateway")
    rebooted.must("systemctl daemon-reload")
    assert rebooted.property("LoadState") == "not-found"
