"""The error that keeps a store from being opened."""

from __future__ import annotations

from gateway.errors import GatewayError


class StoreError(GatewayError):
    """The store cannot be opened; the message says why and what to do."""
