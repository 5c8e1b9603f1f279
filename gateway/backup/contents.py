"""The contents of a backup: which files of a configuration, and under which names they stand in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway.config import Settings
from gateway.private_files import own_key

STORE = "gateway.db"
CONFIGURATION = "gateway.toml"
SETTINGS = frozenset({CONFIGURATION, "catalog", "tls-certificate", "tls-key"})
"""What an admin sets, which a restore leaves as it is unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a gateway: its name in backups, and where this configuration has it."""

    name: str
    path: Path


def parts_of(settings: Settings) -> tuple[Part, ...]:
    """Return all files that a backup of this configuration may have, whether they are there or not."""
    store, server = settings.store, settings.server
    named = [
        (CONFIGURATION, str(settings.path)),
        (STORE, store.path),
        ("store-key-beside", str(own_key(Path(store.path)))),
        ("store-key", store.key),
        *((f"former-key-{number}", key) for number, key in enumerate(store.former_keys, start=1)),
        ("users", settings.auth.users_file),
        ("catalog", settings.images.catalog),
        ("tls-certificate", server.tls_certificate),
        ("tls-key", server.tls_key),
    ]
    return tuple(Part(name, Path(path)) for name, path in named if path)
