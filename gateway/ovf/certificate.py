"""The signer of a package (DSP0243 clause 5.1, ``.cert``): for people, and whether the signature fits.

Whether the signer deserves trust is not decided here: no list of authorities is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.ovf.certificate_lines import LARGEST, certificate_in, signature_in
from gateway.ovf.errors import PackageInvalid

__all__ = ["LARGEST", "Certificate", "read_certificate"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A signer's certificate.

    ``fingerprint`` is its SHA-256 in hex, both times are in ISO 8601, and ``signs`` tells whether the signature beside
    it is one of the package's manifest by its key.
    """

    subject: str
    issuer: str
    fingerprint: str
    not_before: str
    not_after: str
    signs: bool


def read_certificate(content: bytes, manifest: bytes) -> Certificate:
    """Return the certificate of a ``.cert`` file. Raises PackageInvalid for what is no certificate."""
    # Loaded when a package is signed: few are, and the daemon starts without.
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    text = certificate_in(content)
    try:
        certificate = x509.load_pem_x509_certificate(text)
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

    claimed = signature_in(content)
    assert isinstance(certificate, x509.Certificate)
    if claimed is None:
        return False
    older = hashes.SHA1()  # noqa: S303 - packages of version 1 are signed so
    algorithms: dict[str, hashes.HashAlgorithm] = {"SHA1": older, "SHA256": hashes.SHA256()}
    algorithm, signature = algorithms[claimed.algorithm], claimed.signature
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
