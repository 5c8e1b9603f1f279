"""Backups under a passphrase: Fernet tokens of the cryptography library, one a line, by a key that scrypt derives.

Each token holds its number and whether it is the last one, so that none can be left out, moved or cut off. The salt is
each backup's own: a token of another one does not open.
"""

from __future__ import annotations

import base64
import os
import struct
from typing import IO

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from gateway.backup.errors import BackupError

MAGIC = b"cimi-gateway backup, sealed: fernet, scrypt 32768 8 1\n"
SALT_BYTES = 16
COST, BLOCK, PARALLEL = 32_768, 8, 1
"""The work of scrypt, of which MAGIC tells: a third of a second, and 32 MiB."""
CHUNK = 1024**2
LONGEST_LINE = 2 * CHUNK
HEAD = struct.Struct(">QB")
LEAST_PASSPHRASE = 12


def _fernet(passphrase: str, salt: bytes) -> Fernet:
    key = Scrypt(salt, 32, COST, BLOCK, PARALLEL).derive(passphrase.encode())
    return Fernet(base64.urlsafe_b64encode(key))


class SealedWriter:
    """A file that seals what is written to it; ``close`` writes the end, and leaves the file below open."""

    def __init__(self, below: IO[bytes], passphrase: str) -> None:
        """Begin. Raises BackupError for a passphrase that is too short."""
        if len(passphrase) < LEAST_PASSPHRASE:
            raise BackupError(f"the passphrase has fewer than {LEAST_PASSPHRASE} characters")
        salt = os.urandom(SALT_BYTES)
        self._below = below
        self._fernet = _fernet(passphrase, salt)
        self._pending = bytearray()
        self._number = 0
        below.write(MAGIC + base64.b64encode(salt) + b"\n")

    def write(self, data: bytes) -> int:
        """Seal the bytes, whole chunks at once."""
        self._pending += data
        while len(self._pending) > CHUNK:
            self._seal(bytes(self._pending[:CHUNK]), last=False)
            del self._pending[:CHUNK]
        return len(data)

    def close(self) -> None:
        """Seal the rest as the last chunk."""
        self._seal(bytes(self._pending), last=True)

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        self._below.write(self._fernet.encrypt(HEAD.pack(self._number, last) + chunk) + b"\n")
        self._number += 1


class SealedReader:
    """A file that opens what a SealedWriter has written."""

    def __init__(self, below: IO[bytes], passphrase: str) -> None:
        """Begin after MAGIC. Raises BackupError where there is no salt."""
        line = below.readline(LONGEST_LINE)
        try:
            salt = base64.b64decode(line, validate=False)
        except ValueError:
            raise BackupError("the backup is damaged at its beginning") from None
        self._below = below
        self._fernet = _fernet(passphrase, salt)
        self._pending = b""
        self._number = 0
        self._over = False

    def read(self, size: int = -1) -> bytes:
        """Return up to so many bytes, all of the rest without a number.

        Raises BackupError for a wrong passphrase, and for a backup that was changed or cut off.
        """
        while not self._over and (size < 0 or len(self._pending) < size):
            self._pending += self._open(self._below.readline(LONGEST_LINE))
        size = len(self._pending) if size < 0 else size
        data, self._pending = self._pending[:size], self._pending[size:]
        return data

    def _open(self, line: bytes) -> bytes:
        try:
            content = self._fernet.decrypt(line.strip())
        except InvalidToken:
            reason = "it was changed or cut off" if self._number else "the passphrase is wrong, or it was changed"
            raise BackupError(f"the backup cannot be opened: {reason}") from None
        number, last = HEAD.unpack_from(content)
        if number != self._number:
            raise BackupError("the backup cannot be opened: parts of it were moved or left out")
        self._number += 1
        self._over = bool(last)
        return content[HEAD.size :]
