"""The driver for Libcloud and the inventory for Ansible with a guest that runs: its address, and its power."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cimi_client import CimiClient, wait_until
from tests.contrib.environment import SECONDS, installed_programs
from tests.gateway_process import PASSWORD, GatewayProcess
from tests.guests import wait_ready
from tests.place import ROOT

PROGRAM = """
import json, os
import cimi_libcloud
driver = cimi_libcloud.CimiNodeDriver(os.environ["CIMI_USER"], os.environ["CIMI_PASSWORD"], url=os.environ["CIMI_URL"])
[node] = driver.list_nodes()
said = {"addresses": node.public_ips, "done": [driver.stop_node(node), driver.start_node(node)]}
said["state"] = driver.list_nodes()[0].state
driver.close()
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def programs() -> Path:
    return installed_programs()


def test_the_neighbours_find_the_guest_by_its_address_and_switch_it(
    gateway: GatewayProcess, admin: CimiClient, guest: str, programs: Path, tmp_path: Path
) -> None:
    wait_until(lambda: admin.get("addresses")["count"], 60, "the guest's address shows")
    [address] = [entry["ip"] for entry in admin.get("addresses")["addresses"] if entry["protocol"] == "IPv4"]
    (tmp_path / "cimi.yml").write_text("plugin: cimi.cloud.machines\n")
    inventory = run(gateway, tmp_path, programs / "ansible-inventory", "-i", str(tmp_path / "cimi.yml"), "--list")
    [host] = inventory["cimi_started"]["hosts"]
    assert inventory["_meta"]["hostvars"][host]["ansible_host"] == {"__ansible_unsafe": address}
    said = run(gateway, tmp_path, programs / "python", "-c", PROGRAM)
    assert address in said["addresses"]
    assert (said["done"], said["state"]) == ([True, True], "running")
    wait_ready(admin, guest, times=2)


def run(gateway: GatewayProcess, home: Path, *command: str | Path) -> dict[str, Any]:
    """Return what a program of the environment prints as JSON."""
    access = {"CIMI_URL": gateway.base, "CIMI_USER": "admin", "CIMI_PASSWORD": PASSWORD, "LC_ALL": "C.UTF-8"}
    paths = f"{ROOT / 'client'}:{ROOT / 'contrib' / 'libcloud'}"
    ansible = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "contrib" / "ansible"), "ANSIBLE_HOME": str(home / "ansible")}
    done = subprocess.run(
        list(map(str, command)),
        env={**os.environ, **access, **ansible, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said
