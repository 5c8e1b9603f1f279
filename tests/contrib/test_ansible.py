"""The collection for Ansible: modules that change only what is not so yet, and the inventory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contrib.environment import Run
from tests.place import ROOT

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  connection: local
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - cimi.cloud.network: {name: front}
    - cimi.cloud.machine: {name: web1, image: guest, config: tiny, login: ops, key: "ssh-ed25519 AAAA me@here"}
    - cimi.cloud.machine: {name: web2, image: guest, cpu: 1, memory: 128, state: stopped}
"""
END = """
- hosts: localhost
  gather_facts: false
  connection: local
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - cimi.cloud.machine: {name: web1, state: stopped}
    - cimi.cloud.machine: {name: "{{ item }}", state: absent}
      loop: [web1, web2, never]
    - cimi.cloud.network: {name: front, state: absent}
    - cimi.cloud.image: {name: guest, state: absent}
"""


@pytest.fixture
def play(run: Run, tmp_path: Path) -> Run:
    """``play(playbook)``: how many tasks changed something, by Ansible's own summary."""
    settings = {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "contrib" / "ansible"),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "LC_ALL": "C.UTF-8",
    }

    def of(playbook: str, *more: str) -> str:
        path = tmp_path / "site.yml"
        path.write_text(playbook)
        return run("ansible-playbook", *more, str(path), **settings)

    return of


def changed(said: str) -> list[str]:
    return [str(line.split("changed=")[1].split()[0]) for line in said.splitlines() if "changed=" in line]


def test_a_play_changes_what_is_not_so_yet_and_nothing_the_second_time(play: Run, run: Run, tmp_path: Path) -> None:
    assert changed(play(PLAYBOOK, "--check")) == ["3"]
    assert changed(play(PLAYBOOK)) == ["3"]
    assert changed(play(PLAYBOOK)) == ["0"]
    (tmp_path / "cimi.yml").write_text("plugin: cimi.cloud.machines\n")
    paths = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "contrib" / "ansible"), "ANSIBLE_HOME": str(tmp_path / "home")}
    listed = json.loads(run("ansible-inventory", "-i", str(tmp_path / "cimi.yml"), "--list", LC_ALL="C.UTF-8", **paths))
    assert (listed["cimi_started"]["hosts"], listed["cimi_stopped"]["hosts"]) == (["web1"], ["web2"])
    # What a provider says is marked as such: no template in it is obeyed.
    assert listed["_meta"]["hostvars"]["web1"]["ansible_user"] == {"__ansible_unsafe": "ops"}
    assert changed(play(END)) == ["4"]
    assert changed(play(END.replace("web1, state: stopped", "never, state: absent"))) == ["0"]
