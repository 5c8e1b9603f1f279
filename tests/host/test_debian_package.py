"""The Debian package on a Debian 12 host with systemd: built there, installed, upgraded, removed and purged.

One host for all of them, in their order.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest

from demo.guest_image import build
from tests.cimi_client import wait_until
from tests.host import debian_tree, readme
from tests.host.client import IMAGE, PASSWORD, answers, ask, started_machine
from tests.host.machine import CHECKOUT, SECONDS, HostMachine, host_machine
from tests.source import ROOT

pytestmark = pytest.mark.timeout(2400)
CONFIG = "/etc/cimi-gateway/gateway.toml"
# Without a terminal dpkg keeps what an admin has changed only when it is told what to do.
INSTALL = (
    "apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
)
HOST = "As a service"
"""The README's section with the packages of a hypervisor host."""


def build_packages() -> list[str]:
    """Return the packages that the build needs, as debian/control names them, and lintian."""
    needs = (ROOT / "debian/control").read_text().partition("Build-Depends:\n")[2].partition("\nStandards")[0]
    named = re.findall(r"^ ([a-z][a-z0-9-]+)", needs, re.MULTILINE)
    real = [name for name in named if not name.startswith(("dh-sequence-", "debhelper-compat"))]
    return [*real, "build-essential", "debhelper", "lintian", "python3-libvirt"]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostMachine]:
    """A host on which the package was built, and not installed yet."""
    tree = debian_tree.tree([*readme.packages_of(HOST), *build_packages()])
    with host_machine(tree, debian_tree.locked_wheels()) as machine:
        built = build(tmp_path_factory.mktemp("image") / "guest.qcow2")
        shutil.copyfile(built, machine.checkout / "guest.qcow2")
        machine.start()
        # Half of a build's time is xz; what the packages hold is the same without it.
        machine.must("DPKG_DEB_COMPRESSOR_TYPE=gzip DPKG_DEB_COMPRESSOR_LEVEL=1 make deb", cwd=CHECKOUT)
        yield machine


def package(host: HostMachine) -> str:
    """Path of the package that was built."""
    return host.must("ls dist/cimi-gateway_*.deb", cwd=CHECKOUT).strip()


def next_package(host: HostMachine) -> str:
    """Make the package of the next version out of it, with another default in the configuration."""
    host.must(
        f"rm -rf /srv/next && dpkg-deb --raw-extract {package(host)} /srv/next && cd /srv/next"
        " && sed -i 's/^Version: .*/Version: 0.1.1/' DEBIAN/control"
        " && sed -i 's/^# workers = .*/# workers = 9/' etc/cimi-gateway/gateway.toml"
        " && echo next >usr/share/doc/cimi-gateway/next && dpkg-deb -Znone --build /srv/next /srv/next.deb",
        cwd=CHECKOUT,
    )
    return "/srv/next.deb"


def running_guests(host: HostMachine) -> list[str]:
    return host.must("virsh list --name").split()


def test_nothing_of_the_package_is_where_other_programs_look(host: HostMachine) -> None:
    files = host.must(f"dpkg-deb --contents {package(host)}", cwd=CHECKOUT)
    assert "./usr/lib/cimi-gateway/gateway/app.py" in files
    assert "dist-packages" not in files
    assert "libvirtmod" not in files


def test_after_the_install_the_service_is_active(host: HostMachine) -> None:
    host.must(f"{INSTALL} ./{package(host)}", cwd=CHECKOUT)
    wait_until(lambda: answers(host), SECONDS, "the gateway is ready")
    assert host.property("ActiveState") == "active"
    assert host.property("UnitFileState") == "enabled"
    assert host.must(f"stat -c '%U %G %a' {CONFIG}").strip() == "root cimi-gateway 640"


def test_systemd_finds_the_units_documentation(host: HostMachine) -> None:
    said = host.run("systemd-analyze verify cimi-gateway.service")
    assert (said.status, said.err) == (0, "")


def test_doctor_mends_a_host_as_debian_leaves_it(host: HostMachine) -> None:
    host.must("cimi-gateway user add admin --role admin", stdin=f"{PASSWORD}\n")
    said = host.run("cimi-gateway doctor")
    assert said.status == 1
    # The gateway has started the network that its configuration names; there is no pool.
    assert "network default is active, and does not start with the host" in said.out
    assert "pool default:" in said.out
    mended = host.run("cimi-gateway doctor --fix")
    assert mended.status == 0, mended.out + mended.err
    assert "Active:         yes" in host.must("virsh net-info default")
    assert "Autostart:      yes" in host.must("virsh pool-info default")


def test_a_machine_boots_its_guest(host: HostMachine) -> None:
    host.must(f"install -m 0640 -g cimi-gateway {CHECKOUT}/guest.qcow2 {IMAGE}")
    machine = started_machine(host)
    assert ask(host, "GET", machine)["state"] == "STARTED"
    assert len(running_guests(host)) == 1


def test_an_upgrade_keeps_settings_and_guests_and_starts_the_new_version(host: HostMachine) -> None:
    host.must(f"sed -i 's/^\\[jobs\\]$/[jobs]\\nworkers = 5/' {CONFIG}")
    before = host.must(f"cat {CONFIG}; stat -c '%U %G %a' {CONFIG}")
    process, guests = host.property("MainPID"), running_guests(host)
    host.must(f"{INSTALL} {next_package(host)}")
    wait_until(lambda: answers(host), SECONDS, "the gateway is ready")
    assert host.must(f"cat {CONFIG}; stat -c '%U %G %a' {CONFIG}") == before
    assert host.property("MainPID") != process
    assert running_guests(host) == guests
    host.must("test -e /usr/share/doc/cimi-gateway/next")


def test_removal_leaves_guests_settings_and_state(host: HostMachine) -> None:
    guests = running_guests(host)
    host.must("apt-get remove -y cimi-gateway")
    host.must(f"test -e {CONFIG} && test -e /var/lib/cimi-gateway/gateway.db && test ! -e /usr/bin/cimi-gateway")
    assert host.must("find /usr/lib -maxdepth 1 -name 'cimi*'") == ""
    assert running_guests(host) == guests
    host.must(f"{INSTALL} --allow-downgrades ./{package(host)}", cwd=CHECKOUT)
    wait_until(lambda: answers(host), SECONDS, "the gateway is ready again")
    assert [entry["state"] for entry in ask(host, "GET", "machines")["machines"]] == ["STARTED"]


def test_purging_leaves_guests_and_images_and_nothing_else(host: HostMachine) -> None:
    guests = running_guests(host)
    host.must("apt-get purge -y cimi-gateway")
    left = host.must("find /etc/cimi-gateway /var/lib/cimi-gateway /var/cache/cimi-gateway -type f 2>/dev/null || true")
    assert left.split() == [IMAGE]
    assert host.run("systemctl cat cimi-gateway").status != 0
    assert running_guests(host) == guests
