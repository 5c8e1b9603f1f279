"""Addresses to listen on: one that cannot be had is told with the key of the configuration that asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import GatewayError


class CannotListen(GatewayError):
    """The address is taken, is not this host's, or is not for this user."""


@contextmanager
def named(section: str, listen: str, key: str = "listen") -> Iterator[None]:
    """Turn an OSError of a listener's start into CannotListen."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise CannotListen(f"[{section}] {key} = {listen}: {reason}") from error
