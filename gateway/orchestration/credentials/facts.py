"""The facts kept of a Credential or CredentialTemplate beside its document."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.store.durable import Kept, Secret


@dataclass(frozen=True)
class KeptCredential(Kept):
    """Facts of a Credential, or of its template."""

    password_hash: Secret | None = None
    """The password by crypt(3), as the guest gets it."""
