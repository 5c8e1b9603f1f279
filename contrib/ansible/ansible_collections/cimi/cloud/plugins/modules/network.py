"""A module that brings a Network of a CIMI provider into a state."""

from __future__ import annotations

from typing import Any

from ansible_collections.cimi.cloud.plugins.module_utils.access import absent, called, main

DOCUMENTATION = r"""
module: network
short_description: Make and delete Networks of a CIMI provider
options:
  name: {description: What the Network is called., type: str, required: true}
  state: {description: What is to be so., type: str, default: present, choices: [present, absent]}
  type: {description: PUBLIC leads out of the host., type: str, default: PRIVATE, choices: [PRIVATE, PUBLIC]}
  url: {description: The Cloud Entry Point; else CIMI_URL., type: str}
  user: {description: The user; else CIMI_USER., type: str}
  password: {description: The password; else CIMI_PASSWORD., type: str}
author: [cimi-gateway]
"""
EXAMPLES = r"""
- cimi.cloud.network: {name: front}
"""
RETURN = r"""
resource: {description: The Network; nothing where it is absent., returned: always, type: dict}
"""
OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    "type": {"type": "str", "default": "PRIVATE", "choices": ["PRIVATE", "PUBLIC"]},
}


def reach(client: Any, module: Any) -> tuple[bool, Any]:
    """Bring the Network into the state."""
    wanted = module.params
    network = called(client, "networks", wanted["name"])
    if wanted["state"] == "absent":
        return absent(client, module, network)
    if network is not None:
        return False, network
    made = {"name": wanted["name"], "networkTemplate": {"networkConfig": {"networkType": wanted["type"]}}}
    return True, None if module.check_mode else client.create("networks", made)


if __name__ == "__main__":
    main(OPTIONS, reach)
