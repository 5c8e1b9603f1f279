"""Secrets as clients send them, wherever a document can hold one, and how they are looked for."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway import config
from tests.api.world import World

KEY = "ssh-ed25519 AAAA me@here"
TEXT = 'open "sesame"\n\u00e4\\/'
"""What is written otherwise in JSON."""
HASH = "$6$"


def password(mark: str) -> str:
    return f"pass-{mark}-word"


def user_data(mark: str) -> str:
    return base64.b64encode(f"{TEXT} {mark}".encode()).decode()


def credential(mark: str) -> dict[str, str]:
    return {"userName": "ops", "key": KEY, "password": password(mark)}


async def by_value(world: World, mark: str) -> dict[str, Any]:
    """What a MachineTemplate may hold."""
    return {
        "machineConfig": {"cpu": 1, "memory": 131072},
        "machineImage": await world.href("MachineImage"),
        "credential": credential(mark),
        "userData": user_data(mark),
    }


async def descriptors(world: World, mark: str) -> list[dict[str, Any]]:
    """One component of each type in which secrets stand, and a System inside of the System."""
    term = "http://schemas.dmtf.org/cimi/1/"
    inner = [{"name": "deep", "type": f"{term}Machine", "machineTemplate": await by_value(world, mark)}]
    return [
        {"name": "web", "type": f"{term}Machine", "machineTemplate": await by_value(world, mark)},
        {"name": "ops", "type": f"{term}Credential", "credentialTemplate": credential(mark)},
        {"name": "inner", "type": f"{term}System", "systemTemplate": {"componentDescriptors": inner}},
    ]


async def machine(world: World, mark: str) -> dict[str, Any]:
    return {"machineTemplate": await by_value(world, mark)}


async def system_template(world: World, mark: str) -> dict[str, Any]:
    return {"componentDescriptors": await descriptors(world, mark)}


async def system(world: World, mark: str) -> dict[str, Any]:
    return {"systemTemplate": await system_template(world, mark)}


async def own_credential(_world: World, mark: str) -> dict[str, Any]:
    return {"credentialTemplate": credential(mark)}


async def credential_template(_world: World, mark: str) -> dict[str, Any]:
    return credential(mark)


DOCUMENTS: dict[str, Callable[[World, str], Any]] = {
    "Machine": machine,
    "MachineTemplate": by_value,
    "Credential": own_credential,
    "CredentialTemplate": credential_template,
    "System": system,
    "SystemTemplate": system_template,
}
EDITS: dict[str, Callable[[World, str], Any]] = {
    "MachineTemplate": by_value,
    "Credential": credential_template,
    "CredentialTemplate": credential_template,
    "SystemTemplate": system_template,
}


# Looking


def forms(secret: str) -> set[bytes]:
    """How a text may stand in a file: raw, as JSON writes it, in Base64 at each of the three alignments, in hex."""
    raw = secret.encode()
    shifted = {base64.b64encode(b"x" * shift + raw)[4 if shift else 0 : -4] for shift in range(3)}
    escaped = {json.dumps(secret)[1:-1].encode(), json.dumps(secret, ensure_ascii=False)[1:-1].encode()}
    return {raw, raw.hex().encode(), *escaped, *(form for form in shifted if len(form) > 8)}


def planted(mark: str) -> set[bytes]:
    data = user_data(mark)
    return forms(password(mark)) | forms(data) | forms(base64.b64decode(data).decode()) | {HASH.encode()}


def on_disk(settings: config.Settings) -> bytes:
    """The database, its log and whatever stands beside it under its name, but for the key."""
    store = Path(settings.store.path)
    files = [path for path in store.parent.glob(f"{store.name}*") if path.suffix != ".key"]
    assert {path.name for path in files} >= {store.name, f"{store.name}-wal"}
    return b"".join(path.read_bytes() for path in sorted(files))


async def demand_absent(settings: config.Settings, secrets: set[bytes], when: str) -> None:
    content = await asyncio.to_thread(on_disk, settings)
    assert [secret for secret in sorted(secrets) if secret in content] == [], when


def demand_unlogged(lines: list[Any], secrets: set[bytes]) -> None:
    content = "\n".join(repr(line) + json.dumps(line, default=str) for line in lines).encode()
    assert [secret for secret in sorted(secrets) if secret in content] == []
