"""Hashes of guests' passwords by SHA-512 crypt (glibc's $6$), which the C library makes."""

from __future__ import annotations

import ctypes
import ctypes.util
import secrets
import string
import threading

ONE_AT_A_TIME = threading.Lock()
"""crypt(3) answers in one place for all threads, and ctypes lets other threads run meanwhile."""
ALPHABET = string.ascii_letters + string.digits + "./"


def sha512_crypt(password: str, salt: str | None = None) -> str:
    """Return the hash that a guest's shadow file takes; blocks for some milliseconds.

    Without a salt it gets a random one. Raises OSError where the C library has no SHA-512 crypt.
    """
    chosen = salt or "".join(secrets.choice(ALPHABET) for _ in range(16))
    library = ctypes.CDLL(ctypes.util.find_library("crypt") or "libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    with ONE_AT_A_TIME:
        hashed = library.crypt(password.encode(), f"$6${chosen}$".encode())
    if not hashed or not hashed.startswith(b"$6$"):
        raise OSError("the C library has no SHA-512 crypt")
    return str(hashed.decode())
