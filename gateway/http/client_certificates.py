"""The certificates by which clients come in: those of an authority of one's own, and single ones of single users.

OpenSSL has looked at validity and purpose, and at the signature. Whose a certificate is follows from the files as they
were taken up last: so one that was taken away counts for no later request, on connections from before either.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.config import ConfigError

SUFFIXES = (".crt", ".pem")
MOST_KEPT = 10_000


class CertificateError(ConfigError):
    """A file of clients' certificates that cannot be used; the message names it."""


def fingerprint_of(certificate: bytes) -> str:
    """Return the SHA-256 of a certificate in DER, in hexadecimal digits."""
    return hashlib.sha256(certificate).hexdigest()


def certificate_of(transport: asyncio.BaseTransport) -> bytes | None:
    """Return the certificate of a client in DER; None without one."""
    line = transport.get_extra_info("ssl_object")
    certificate: bytes | None = line.getpeercert(binary_form=True) if line is not None else None
    return certificate


@dataclass(frozen=True)
class ClientCertificates:
    """The authorities whose certificates name a user (CN), and the users of single certificates by fingerprint."""

    authorities: tuple[x509.Certificate, ...] = ()
    pinned: Mapping[str, str] = field(default_factory=dict)
    trusted: tuple[str, ...] = ()
    """All of these certificates in PEM."""
    _names: dict[bytes, str | None] = field(default_factory=dict)

    @classmethod
    def load(cls, authorities: str, directory: str) -> ClientCertificates:
        """Read a file of authorities, and a directory with a certificate USER.crt for each user; '' is neither.

        Raises CertificateError.
        """
        issuers = _read(Path(authorities)) if authorities else []
        single = {file.stem: _read(file)[0] for file in _files(directory)}
        pinned = {fingerprint_of(one.public_bytes(Encoding.DER)): user for user, one in single.items()}
        trusted = tuple(one.public_bytes(Encoding.PEM).decode() for one in (*issuers, *single.values()))
        return cls(tuple(issuers), pinned, trusted)

    def ask_for(self, context: ssl.SSLContext) -> None:
        """Have a listener ask its clients for a certificate; one without any comes in by something else."""
        if not self.trusted:
            return
        context.verify_mode = ssl.CERT_OPTIONAL
        # A single certificate is trusted by itself, whoever has signed it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata="".join(self.trusted))

    def user(self, certificate: bytes) -> str | None:
        """Return the name of the user of a certificate in DER; None for one that is nobody's (any more)."""
        if certificate not in self._names:
            if len(self._names) >= MOST_KEPT:
                self._names.clear()
            self._names[certificate] = self._user(certificate)
        return self._names[certificate]

    def _user(self, certificate: bytes) -> str | None:
        """Return whose certificate it is; of one that is not pinned only an authority's own signature says it.

        What a pinned certificate has signed, OpenSSL would trust, too.
        """
        pinned = self.pinned.get(fingerprint_of(certificate))
        if pinned is not None:
            return pinned
        parsed = x509.load_der_x509_certificate(certificate)
        if not any(_issued(parsed, authority) for authority in self.authorities):
            return None
        names = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if len(names) == 1 else None


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    with suppress(ValueError, TypeError, InvalidSignature):
        certificate.verify_directly_issued_by(authority)
        return True
    return False


def _files(directory: str) -> list[Path]:
    if not directory:
        return []
    try:
        return sorted(file for file in Path(directory).iterdir() if file.suffix in SUFFIXES)
    except OSError as error:
        raise CertificateError(f"{directory}: cannot be read: {error.strerror}") from None


def _read(file: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        raise CertificateError(f"{file}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise CertificateError(f"{file}: holds no certificate in PEM form") from None
