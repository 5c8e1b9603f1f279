"""Signatures of packages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def certified(key: Key, signed: bytes) -> bytes:
    """The text of a ``.cert`` file: the signature, and a certificate of the signer."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example Appliances")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, now, now + timedelta(days=1))
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(signed, padding.PKCS1v15(), SHA256())
    else:
        signature = key.sign(signed, ec.ECDSA(SHA256()))
    certificate = builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
    return f"SHA256(a.mf)= {signature.hex()}\n".encode() + certificate
