"""Secrets on disk: values under certain names are sealed before a row is written, and opened when it is read.

All of it happens in SQL functions, on SQLite's threads: whoever selects ``opened(context, column)`` has the secrets,
and nothing else in the program knows the key. The context, a path, is bound to what is sealed: a sealed value that
is copied into another row does not open there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import sqlite3
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.store.keyring import Key, Keyring

SECRET = frozenset({"userData", "user_data", "password", "password_hash", "environment", "values", "url", "place"})
"""Names under which secrets stand in internal facts and in steps' arguments; of URLs, the query may be one."""
OPEN = frozenset({"properties"})
"""Names of what is the client's own, whatever stands there under which name."""
SEALED = "sealed"
VERSION = "v1"
IDENTITY = 16
"""Characters of a key's identity."""
NONCE_BYTES = 12
MARK = f'{{"{SEALED}":"{VERSION}.'
UNOPENED = f"{secrets.token_hex(16)}."
"""Stands before what did not open, for as long as it is in memory: no client can know it, and so none can write it."""
UNOPENED_MARK = f'{{"{SEALED}":"{UNOPENED}'
SOUGHT = tuple(f'"{name}":' for name in SECRET)


class Sealing:
    """The sealing and opening of secrets in JSON texts, with the keys of a store."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    @property
    def former_marks(self) -> tuple[str, ...]:
        """The beginnings of sealed values in JSON, one for each former key."""
        return tuple(f"{MARK}{key.identity}." for key in self._keyring.former)

    def sealed(self, context: str, text: str) -> str:
        """Return a JSON text with the secrets in it sealed."""
        if not any(name in text for name in SOUGHT):
            return text
        return _written(_walked(json.loads(text), lambda value: self._seal(context, value)))

    def opened(self, context: str, text: str) -> str:
        """Return a JSON text with what was sealed in it open; what does not open is marked as such."""
        if MARK not in text:
            return text
        return _written(_walked(json.loads(text), lambda value: self._open(context, value)))

    def resealed(self, context: str, text: str) -> str:
        """Return a JSON text as the current key seals it."""
        return self.sealed(context, self.opened(context, text))

    def digested(self, text: str) -> str:
        """Return the digest by which a text is recognised later: without the key, nobody can try what it was."""
        return _digest(self._keyring.current, text)

    def matches(self, digest: str, text: str) -> bool:
        """Return whether the digest is of this text, by the current key or a former one."""
        keys = (self._keyring.current, *self._keyring.former)
        return any(hmac.compare_digest(digest, _digest(key, text)) for key in keys)

    def _seal(self, context: str, value: Any) -> Any:
        """Return a secret as it is written: sealed, whatever it looks like, or as it was when it did not open."""
        if value is None:
            return value
        if _is_unopened(value):
            return {SEALED: value[SEALED].removeprefix(UNOPENED)}
        key, nonce = self._keyring.current, secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + AESGCM(key.sealing).encrypt(nonce, json.dumps(value).encode(), context.encode())
        return {SEALED: f"{VERSION}.{key.identity}.{base64.b64encode(sealed).decode()}"}

    def _open(self, context: str, value: Any) -> Any:
        kept = _only_sealed(value)
        version, _, rest = kept.partition(".")
        identity, _, text = rest.partition(".")
        if version != VERSION or len(identity) != IDENTITY or not text:
            # An older program left it as a client wrote it.
            return value
        unopened = {SEALED: f"{UNOPENED}{kept}"}
        key = self._keyring.of(identity)
        if key is None:
            return unopened
        try:
            content = base64.b64decode(text, validate=True)
            plain = AESGCM(key.sealing).decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError):
            return unopened
        return json.loads(plain)


def _only_sealed(value: Any) -> str:
    """Return the text under SEALED of a value that has nothing else, '' for every other one."""
    text = value[SEALED] if isinstance(value, dict) and value.keys() == {SEALED} else ""
    return text if isinstance(text, str) else ""


def _is_unopened(value: Any) -> bool:
    """Return whether a value is one that did not open: its key is another one, or gone."""
    return _only_sealed(value).startswith(UNOPENED)


def holds_sealed(value: Any) -> bool:
    """Return whether a secret that did not open stands anywhere in a value."""
    if _is_unopened(value):
        return True
    if isinstance(value, dict):
        return any(map(holds_sealed, value.values()))
    return isinstance(value, list) and any(map(holds_sealed, value))


def register(connection: sqlite3.Connection, sealing: Sealing) -> None:
    """Create the SQL functions on this connection."""
    for name, arguments, function in functions(sealing):
        connection.create_function(name, arguments, function)


def functions(sealing: Sealing) -> tuple[tuple[str, int, Callable[..., Any]], ...]:
    """Return name, number of arguments, and body of each SQL function."""
    return (
        ("sealed", 2, sealing.sealed),
        ("opened", 2, sealing.opened),
        ("resealed", 2, sealing.resealed),
        ("digested", 1, sealing.digested),
        ("matches", 2, sealing.matches),
    )


def _digest(key: Key, text: str) -> str:
    return hmac.new(key.digesting, text.encode(), hashlib.sha256).hexdigest()


def _walked(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a copy of the value with each secret changed."""
    if isinstance(value, list):
        return [_walked(entry, change) for entry in value]
    if not isinstance(value, dict):
        return value
    return {
        name: entry if name in OPEN else change(entry) if name in SECRET else _walked(entry, change)
        for name, entry in value.items()
    }


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
