"""A module that brings a MachineImage of a CIMI provider into a state."""

from __future__ import annotations

from typing import Any

from ansible_collections.cimi.cloud.plugins.module_utils.access import absent, called, main

DOCUMENTATION = r"""
module: image
short_description: Import and delete MachineImages of a CIMI provider
options:
  name: {description: What the image is called., type: str, required: true}
  state: {description: What is to be so., type: str, default: present, choices: [present, absent]}
  location: {description: Where the provider is to fetch a new image., type: str}
  sha256: {description: The sum that its bytes must have., type: str}
  url: {description: The Cloud Entry Point; else CIMI_URL., type: str}
  user: {description: The user; else CIMI_USER., type: str}
  password: {description: The password; else CIMI_PASSWORD., type: str}
author: [cimi-gateway]
"""
EXAMPLES = r"""
- cimi.cloud.image: {name: debian, location: "https://cloud.example/debian.qcow2"}
"""
RETURN = r"""
resource: {description: The image; nothing where it is absent., returned: always, type: dict}
"""
OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    "location": {"type": "str"},
    "sha256": {"type": "str"},
}


def reach(client: Any, module: Any) -> tuple[bool, Any]:
    """Bring the image into the state."""
    wanted = module.params
    image = called(client, "machineImages", wanted["name"])
    if wanted["state"] == "absent":
        return absent(client, module, image)
    if image is not None:
        return False, image
    if not wanted["location"]:
        raise ValueError(f"there is no image {wanted['name']}; location says where to fetch it")
    made = {"name": wanted["name"], "imageLocation": wanted["location"]}
    if wanted["sha256"]:
        made["sha256"] = wanted["sha256"]
    return True, None if module.check_mode else client.create("machineImages", made)


if __name__ == "__main__":
    main(OPTIONS, reach)
