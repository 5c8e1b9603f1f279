"""A client of the gateway on a host of the tests, which asks from inside with curl."""

from __future__ import annotations

import json
import shlex
from typing import Any

from tests.host.machine import HostMachine

PASSWORD = "correct horse"
BASE = "http://127.0.0.1:8080/cimi/"
IMAGE = "/var/lib/cimi-gateway/images/guest.qcow2"


def ask(host: HostMachine, method: str, path: str, document: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send a request inside, which waits for its Job; the answer, which has to be one of success."""
    url = path if path.startswith("http") else BASE + path
    headers = "-H 'Content-Type: application/json' -H 'Accept: application/json' -H 'Prefer: wait=120'"
    body = "--data-binary @-" if document is not None else ""
    curl = f"curl -sS -w '\\n%{{http_code}}' -u admin:{shlex.quote(PASSWORD)}"
    said = host.must(f"{curl} -X {method} {headers} {body} {shlex.quote(url)}", stdin=json.dumps(document or {}))
    text, _, status = said.rpartition("\n")
    assert status.startswith("2"), said
    answer: dict[str, Any] = json.loads(text) if text.strip() else {}
    return answer


def act(host: HostMachine, url: str, verb: str) -> None:
    """Ask for an action of a resource, and wait for its Job."""
    (href,) = [entry["href"] for entry in ask(host, "GET", url)["operations"] if entry["rel"].endswith(f"/{verb}")]
    action = {"resourceURI": "http://schemas.dmtf.org/cimi/1/Action"}
    ask(host, "POST", href, {**action, "action": f"http://schemas.dmtf.org/cimi/1/action/{verb}"})


def answers(host: HostMachine) -> bool:
    return host.run(f"curl -sf {BASE.removesuffix('cimi/')}health/ready").status == 0


def started_machine(host: HostMachine) -> str:
    """Return the URL of a new Machine that was started, of the image that lies in IMAGE."""
    location = f"file://{IMAGE}"
    image = ask(host, "POST", "machineImages", {"name": "guest", "imageLocation": location})
    template = {
        "initialState": "STARTED",
        "machineConfig": {"cpu": 1, "memory": 131072},
        "machineImage": {"href": image["id"]},
    }
    made = ask(host, "POST", "machines", {"name": "web", "machineTemplate": template})
    return str(made["id"])
