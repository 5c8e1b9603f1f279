"""The certificate that the gateway shows, and how it is replaced while connections go on."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.config import ConfigError, ServerSettings
from gateway.errors import GatewayError
from gateway.http.client_certificates import ClientCertificates
from gateway.private_files import demand_private

log = structlog.get_logger("tls")


class TlsError(ConfigError):
    """A certificate or key that cannot be used; the message names the file."""


class Certificate:
    """A PEM certificate chain and its key, and the certificates by which clients come in.

    ``context`` is the listener's, for as long as it listens. Each handshake takes the context that was loaded last: so
    a new certificate counts for new connections, and a bad one touches nothing.
    """

    def __init__(self, chain: Path, key: Path, authorities: str = "", directory: str = "") -> None:
        """Load both, and the certificates by which clients come in. Raises TlsError or ExposedFile."""
        self._chain = chain
        self._key = key
        self._of_clients = (authorities, directory)
        self._clients, self._current = self._load()
        _, self.context = self._load()
        self.context.sni_callback = self._choose

    def _load(self) -> tuple[ClientCertificates, ssl.SSLContext]:
        clients, context = ClientCertificates.load(*self._of_clients), _loaded(self._chain, self._key)
        clients.ask_for(context)
        return clients, context

    def user(self, certificate: bytes) -> str | None:
        """Return the name of the user of a client's certificate in DER; None for nobody's."""
        return self._clients.user(certificate)

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current

    async def reload(self) -> None:
        """Take up new files for new connections; of those that cannot be used the log tells, and the old ones stay."""
        try:
            self._clients, self._current = await asyncio.to_thread(self._load)
        except GatewayError as error:
            log.error("certificate not taken up, the old one stays", reason=error.message)
        else:
            log.info("certificate taken up", certificate=str(self._chain))


def configured_certificate(server: ServerSettings) -> Certificate | None:
    """Return the certificate of the configuration, None for plain HTTP. Raises TlsError or ExposedFile."""
    if not server.tls_certificate:
        return None
    chain, key = Path(server.tls_certificate), Path(server.tls_key)
    return Certificate(chain, key, server.tls_client_ca, server.tls_client_certificates)


def _loaded(chain: Path, key: Path) -> ssl.SSLContext:
    _check_chain(chain)
    _check_key(key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(chain, key, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsError(f"{key}: is not the key of the certificate in {chain}") from None
        raise TlsError(f"{chain}, {key}: cannot be used together: {error.reason or error}") from None
    except OSError as error:
        raise TlsError(f"{chain}, {key}: cannot be read: {error.strerror or error}") from None
    return context


def _check_chain(chain: Path) -> None:
    try:
        x509.load_pem_x509_certificates(_content(chain))
    except ValueError:
        raise TlsError(f"{chain}: holds no certificate in PEM form") from None


def _check_key(key: Path) -> None:
    demand_private(key)
    try:
        load_pem_private_key(_content(key), None)
    except TypeError:
        raise TlsError(f"{key}: is encrypted; a service has nobody to ask for the passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise TlsError(f"{key}: holds no private key in PEM form that can be used") from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        words = f"{error.strerror or error}; the service's user must be able to read it"
        raise TlsError(f"{path}: cannot be read: {words}") from None
