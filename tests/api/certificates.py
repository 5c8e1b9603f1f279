"""Certificates for servers of the tests."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def self_signed(directory: Path) -> tuple[Path, Path]:
    """Certificate and key for 127.0.0.1, made by openssl."""
    certificate, key = directory / "tls.crt", directory / "tls.key"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


def issued(directory: Path, lasting: timedelta) -> tuple[Path, Path]:
    """Certificate and key that last for so long from now, or ended so long ago."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hv1")])
    end = datetime.now(UTC) + lasting
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, end - timedelta(days=400), end)
    made = builder.sign(key, hashes.SHA256())
    certificate, private = directory / "tls.crt", directory / "tls.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(*form))
    private.chmod(0o600)
    return certificate, private


def issue(chain: Path, key: Path, *more: str) -> None:
    """A certificate of 127.0.0.1, with a key of its own, in place of what was there."""
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    protection = more or ("-nodes",)
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command: list[str | Path] = [
        "openssl",
        "req",
        "-x509",
        *kind,
        *protection,
        "-days",
        "2",
        *subject,
        "-keyout",
        key,
        "-out",
        chain,
    ]
    subprocess.run(command, check=True, capture_output=True)
    key.chmod(0o600)
