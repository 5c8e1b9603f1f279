"""A module that brings a Machine of a CIMI provider into a state."""

from __future__ import annotations

from typing import Any

from ansible_collections.cimi.cloud.plugins.module_utils.access import absent, called, main

DOCUMENTATION = r"""
module: machine
short_description: Make, start, stop and delete Machines of a CIMI provider
options:
  name: {description: What the Machine is called., type: str, required: true}
  state:
    description: What is to be so.
    type: str
    default: started
    choices: [present, started, stopped, absent]
  image: {description: The MachineImage of a new Machine., type: str}
  config: {description: The MachineConfiguration of a new Machine., type: str}
  cpu: {description: Virtual CPUs of a new Machine., type: int}
  memory: {description: Mebibytes of a new Machine., type: int}
  login: {description: Whom the key lets in., type: str}
  key: {description: A public key., type: str}
  url: {description: The Cloud Entry Point; else CIMI_URL., type: str}
  user: {description: The user; else CIMI_USER., type: str}
  password: {description: The password; else CIMI_PASSWORD., type: str}
author: [cimi-gateway]
"""
EXAMPLES = r"""
- cimi.cloud.machine: {name: web1, image: debian, config: small, login: debian, key: "{{ lookup('file', 'id.pub') }}"}
- cimi.cloud.machine: {name: web1, state: absent}
"""
RETURN = r"""
resource: {description: The Machine; nothing where it is absent., returned: always, type: dict}
"""
OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "default": "started", "choices": ["present", "started", "stopped", "absent"]},
    "image": {"type": "str"},
    "config": {"type": "str"},
    "cpu": {"type": "int"},
    "memory": {"type": "int"},
    "login": {"type": "str"},
    "key": {"type": "str", "no_log": False},
}
VERBS = {"started": ("STARTED", "start"), "stopped": ("STOPPED", "stop")}


def reach(client: Any, module: Any) -> tuple[bool, Any]:
    """Bring the Machine into the state."""
    wanted = module.params
    machine = called(client, "machines", wanted["name"])
    if wanted["state"] == "absent":
        return absent(client, module, machine)
    if machine is None:
        return True, None if module.check_mode else client.create("machines", document(client, wanted))
    state, verb = VERBS.get(wanted["state"], (machine.state, ""))
    if machine.state == state:
        return False, machine
    if not module.check_mode:
        client.act(machine, verb)
        machine = client.get(machine.id)
    return True, machine


def document(client: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return what a new Machine is made by. Raises ValueError without an image."""
    if not wanted["image"]:
        raise ValueError(f"there is no Machine {wanted['name']}; image says what to make one of")
    configuration: dict[str, Any] = {"cpu": wanted["cpu"] or 1, "memory": (wanted["memory"] or 1024) * 1024}
    if wanted["config"]:
        configuration = {"href": client.find("machineConfigs", wanted["config"]).id}
    template: dict[str, Any] = {
        "machineConfig": configuration,
        "machineImage": {"href": client.find("machineImages", wanted["image"]).id},
        "initialState": "STOPPED" if wanted["state"] == "stopped" else "STARTED",
    }
    made: dict[str, Any] = {"name": wanted["name"], "machineTemplate": template}
    if wanted["key"]:
        template["credential"] = {"userName": wanted["login"] or "root", "key": wanted["key"].strip()}
        made["properties"] = {"sshUser": wanted["login"] or "root"}
    return made


if __name__ == "__main__":
    main(OPTIONS, reach)
