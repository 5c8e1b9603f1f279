"""Access to a CIMI provider, as all parts of the collection have it."""

from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

OPTIONS: dict[str, Any] = {
    "url": {"type": "str"},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
}


def opened(given: dict[str, Any]) -> Any:
    """Return a client, not entered yet, by what is given and else by the environment. Raises ValueError."""
    from cimi_client import Login, Server, SyncClient

    url, user, password = (given.get(name) or os.environ.get(f"CIMI_{name.upper()}") for name in OPTIONS)
    if not url:
        raise ValueError("url is missing: say it, or set CIMI_URL")
    return SyncClient(Server(url, Login(user, password) if user else Login()))


def called(client: Any, collection: str, name: str) -> Any:
    """Return the resource of this name; None without one. Raises Ambiguous when several have it."""
    from cimi_client import NotFound

    try:
        return client.find(collection, name)
    except NotFound:
        return None


def main(options: dict[str, Any], reach: Any) -> None:
    """Run a module: ``reach(client, module)`` returns whether something was (or would be) changed, and the resource."""
    module = AnsibleModule({**OPTIONS, **options}, supports_check_mode=True)
    try:
        from cimi_client import CimiError
    except ImportError as error:
        module.fail_json(msg=f"the client library is missing where this runs: {error}")
    try:
        with opened(module.params) as client:
            changed, resource = reach(client, module)
    except (CimiError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, resource=dict(resource.document) if resource is not None else None)


def absent(client: Any, module: Any, resource: Any) -> tuple[bool, Any]:
    """Delete a resource, if it is there."""
    if resource is not None and not module.check_mode:
        client.delete(resource)
    return resource is not None, None
