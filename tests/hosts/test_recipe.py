"""The hosts of the tests themselves: they leave nothing behind, and get over what a run that was killed has left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.hosts.recipe import CGROUPS, RemoteHost, Site, free_site, hosts_of
from tests.place import ROOT

pytestmark = pytest.mark.qemu
KILLED = """
import os, signal
from tests.hosts.recipe import Site, hosts_of
with hosts_of(Site({site}), 2):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def traces(site: Site) -> list[str]:
    """What there is of the site on this machine."""
    found = [f"process {process}" for number in (1, 2) for process in RemoteHost(site, number).processes()]
    begins = (site.bridge, f"cimi{site.number}hv")
    found += [path.name for path in Path("/sys/class/net").iterdir() if path.name.startswith(begins)]
    found += [str(group) for parent in CGROUPS for group in parent.glob(f"cimi-{site.number}hv*")]
    found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(site.home) in line]
    return found + ([str(site.home)] if site.home.exists() else [])


def test_they_are_hosts_of_their_own_and_leave_nothing_behind() -> None:
    with free_site() as site:
        with hosts_of(site, 2) as hosts:
            assert [host.virsh("hostname") for host in hosts] == ["hv1", "hv2"]
            assert [host.virsh("capabilities").count(host.uuid) for host in hosts] == [1, 1]
        assert traces(site) == []


def test_after_a_run_that_was_killed_they_are_made_anew() -> None:
    with free_site() as site:
        command = [sys.executable, "-c", KILLED.format(site=site.number)]
        assert subprocess.run(command, cwd=ROOT, timeout=300, check=False).returncode == -9
        assert traces(site) != []
        with hosts_of(site, 2) as hosts:
            hosts[0].crash()
            hosts[0].boot()
            assert [host.virsh("net-list", "--name") for host in hosts] == ["default", "default"]
        assert traces(site) == []
