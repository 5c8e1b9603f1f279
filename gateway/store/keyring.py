"""The key with which secrets in the store are sealed. It stands outside of the database: a copy of that has no key.

The first of these that is there: the file that the configuration names (``[store] key``), the systemd credential
``store-key``, and a file beside the database that the first start makes.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.config import ConfigError
from gateway.private_files import demand_private, own_key, write_private

CREDENTIAL = "store-key"
"""Name of the key in ``LoadCredential=`` or ``LoadCredentialEncrypted=``."""
LEAST_BYTES = 32
LONGEST = 65_536


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the store. ``identity`` tells keys apart and says nothing of them."""

    identity: str
    sealing: bytes = field(repr=False)
    digesting: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of a store: ``current`` seals; the ``former`` ones only open what they once sealed."""

    current: Key
    former: tuple[Key, ...] = ()

    def of(self, identity: str) -> Key | None:
        """Return the key of this identity; None when it is not at hand."""
        return next((key for key in (self.current, *self.former) if key.identity == identity), None)


def derived(content: bytes) -> Key:
    """Return the key that stands in a file of this content."""
    return Key(
        identity=_derive(content, b"identity", 8).hex(),
        sealing=_derive(content, b"sealing", 32),
        digesting=_derive(content, b"digesting", 32),
    )


def _derive(content: bytes, use: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=b"cimi-gateway store " + use).derive(content)


def keyring(store: Path, configured: str = "", former: Sequence[str] = ()) -> Keyring:
    """Return the keys for the database at ``store``, making one when there is none.

    Raises ConfigError for a configured file that is missing, too short, or that others may read.
    """
    credential, own = _credential(), own_key(store)
    before = [_configured(Path(name)) for name in former]
    if configured:
        current = _configured(Path(configured))
    elif credential is not None:
        # Its mode is systemd's affair.
        current = _content(credential)
    else:
        return Keyring(derived(_own(own)), tuple(map(derived, before)))
    if own.exists():
        # What was sealed before there was a configured one.
        before.append(_configured(own))
    return Keyring(derived(current), tuple(map(derived, before)))


def demand_usable_keys(store: Path, configured: str = "", former: Sequence[str] = ()) -> None:
    """Raise ConfigError where ``keyring`` would, and make no key."""
    own = own_key(store)
    if configured or _credential() is not None or own.exists():
        keyring(store, configured, former)
        return
    for name in former:
        _configured(Path(name))


def _credential() -> Path | None:
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(directory) / CREDENTIAL if directory else None
    return path if path is not None and path.exists() else None


def _configured(path: Path) -> bytes:
    content = _content(path)
    demand_private(path)
    return content


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST)
    except OSError as error:
        raise ConfigError(f"the key {path} of the store cannot be read: {error.strerror}") from None
    if len(content.strip()) < LEAST_BYTES:
        raise ConfigError(f"the key {path} has fewer than {LEAST_BYTES} bytes; `openssl rand -base64 32` makes one")
    return content.strip()


def _own(path: Path) -> bytes:
    """Return the content of the key file beside the database, which is made when it is missing.

    A new file is whole on disk before anything is sealed with its key.
    """
    if not path.exists():
        write_private(path, base64.b64encode(secrets.token_bytes(LEAST_BYTES)) + b"\n")
    return _configured(path)
