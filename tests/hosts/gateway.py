"""A gateway as a process over several remote hosts."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from tests.gateway_process import GatewayProcess
from tests.hosts.recipe import RemoteHost


@dataclass
class HostsGateway(GatewayProcess):
    """``entries`` are names and URIs of hypervisors, in the order of the configuration."""

    entries: tuple[tuple[str, str], ...] = ()
    hosts: list[RemoteHost] = field(default_factory=list)

    def configure(self) -> None:
        super().configure()
        head, _, _ = self.configuration.read_text().partition("[[hypervisor]]")
        tables = "".join(
            f'[[hypervisor]]\nname = "{name}"\nuri = "{uri}"\npool = "default"\nnetwork = "default"\n'
            for name, uri in self.entries
        )
        self.configuration.write_text(head + tables)

    def clear(self) -> None:
        """Kill it; what it made goes with the hosts."""
        self.kill()

    def ready(self) -> tuple[int, dict[str, Any]]:
        """Status and document of ``/health/ready``."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)
