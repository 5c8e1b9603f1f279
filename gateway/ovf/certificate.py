"""Who signed a package (DSP0243 clause 5.1, ``.cert``): shown to people, and whether the signature fits the manifest.

Whether the signer deserves trust is not decided here: no list of authorities is asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.ovf.errors import PackageInvalid

LARGEST = 1024**2
SIGNATURE = re.compile(rb"^\s*(SHA1|SHA256)\s*\(([^)]+)\)\s*=\s*([0-9a-fA-F]+)\s*$", re.MULTILINE)
PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Certificate:
    """``fingerprint`` is the SHA-256 in hex. ``signs``: its signature is one of this manifest."""

    subject: str
    issuer: str
    fingerprint: str
    not_before: str
    not_after: str
    signs: bool


def read_certificate(content: bytes, manifest: bytes) -> Certificate:
    """Raises PackageInvalid for what is no certificate."""
    # Loaded when a package is signed: few are, and the daemon starts without.
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    found = PEM.search(content[:LARGEST])
    if found is None:
        raise PackageInvalid("the certificate file holds no certificate")
    try:
        certificate = x509.load_pem_x509_certificate(found.group(0))
        subject, issuer = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
    except ValueError as error:
        raise PackageInvalid(f"the certificate cannot be read: {str(error)[:100]}") from None
    return Certificate(
        subject=subject[:500],
        issuer=issuer[:500],
        fingerprint=certificate.fingerprint(SHA256()).hex(),
        not_before=certificate.not_valid_before_utc.isoformat(),
        not_after=certificate.not_valid_after_utc.isoformat(),
        signs=_signs(certificate, content, manifest),
    )


def _signs(certificate: object, content: bytes, manifest: bytes) -> bool:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    found = SIGNATURE.search(content)
    assert isinstance(certificate, x509.Certificate)
    if found is None or len(found.group(3)) % 2:
        return False
    older = hashes.SHA1()  # noqa: S303 - packages of version 1 are signed so
    known: dict[bytes, hashes.HashAlgorithm] = {b"SHA1": older, b"SHA256": hashes.SHA256()}
    algorithm = known[found.group(1)]
    signature = bytes.fromhex(found.group(3).decode())
    try:
        key = certificate.public_key()
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, manifest, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, manifest, ec.ECDSA(algorithm))
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True
