"""An inventory of the Machines of a CIMI provider."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible_collections.cimi.cloud.plugins.module_utils.access import opened

DOCUMENTATION = r"""
name: machines
short_description: Machines of a CIMI provider
description: Each Machine by its name, with the address that its guest uses, in a group by its state.
options:
  plugin: {description: This plugin., required: true, choices: [cimi.cloud.machines]}
  url: {description: The Cloud Entry Point; else CIMI_URL., type: str}
  user: {description: The user; else CIMI_USER., type: str}
  password: {description: The password; else CIMI_PASSWORD., type: str}
author: [cimi-gateway]
"""
SSH_USER = "sshUser"


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]
    """The inventory."""

    NAME = "cimi.cloud.machines"

    def verify_file(self, path: str) -> bool:
        """Return whether a file is one of this inventory's, by its name."""
        return bool(super().verify_file(path)) and path.endswith(("cimi.yml", "cimi.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Read the Machines into the inventory. Raises AnsibleParserError in the provider's words."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        try:
            from cimi_client import CimiError
        except ImportError as error:
            raise AnsibleParserError(f"the client library is missing: {error}") from error
        try:
            with opened({name: self.get_option(name) for name in ("url", "user", "password")}) as client:
                self._read(client)
        except (CimiError, ValueError) as error:
            raise AnsibleParserError(str(error)) from error

    def _read(self, client: Any) -> None:
        addresses: dict[str, str] = {}
        for one in client.items("addresses"):
            machine = (one.href("resource") or "").partition("/networkInterfaces/")[0]
            addresses.setdefault(machine, one.text("ip"))
        for machine in client.items("machines"):
            name = machine.name or machine.key
            group = self.inventory.add_group(f"cimi_{machine.state.lower()}")
            self.inventory.add_host(name, group=group)
            said = {"ansible_host": addresses.get(machine.id), "ansible_user": machine.properties.get(SSH_USER)}
            for key, value in {**said, "cimi_id": machine.id, "cimi_properties": dict(machine.properties)}.items():
                if value:
                    self.inventory.set_variable(name, key, value)
