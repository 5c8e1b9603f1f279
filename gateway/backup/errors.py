"""What can go wrong with a backup."""

from __future__ import annotations

from gateway.errors import GatewayError


class BackupError(GatewayError):
    """A backup that cannot be made, read or restored; the message says why, and what to do."""
