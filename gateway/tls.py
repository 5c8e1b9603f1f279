"""The server's certificate and key as TLS needs them: what is wrong with them is told with the file's name."""

from __future__ import annotations

import ssl
from pathlib import Path

from gateway.config import ConfigError, ServerSettings

REASONS = {
    "KEY_VALUES_MISMATCH": "does not belong to the certificate",
    "NO_START_LINE": "holds no private key in PEM",
    "BAD_PASSWORD_READ": "has a passphrase, which a service cannot type: write it without one",
}


def server_context(server: ServerSettings) -> ssl.SSLContext | None:
    """Return what the listener needs; None where it serves plain HTTP. Raises ConfigError."""
    if not server.tls_certificate:
        return None
    for file in (server.tls_certificate, server.tls_key):
        _readable(Path(file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cafile=server.tls_certificate)
    except ssl.SSLError:
        raise ConfigError(f"[server] tls_certificate: {server.tls_certificate}: holds no certificate in PEM") from None
    try:
        # Without a password OpenSSL would ask for one at the terminal.
        context.load_cert_chain(server.tls_certificate, server.tls_key, password="")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or ""
        words = REASONS.get(reason, f"cannot be used with {server.tls_certificate}: {error}")
        raise ConfigError(f"[server] tls_key: {server.tls_key}: {words}") from None
    return context


def _readable(file: Path) -> None:
    try:
        with file.open("rb"):
            return
    except OSError as error:
        raise ConfigError(f"[server] {file}: {error.strerror}; the service's user must be able to read it") from None
