"""The certificates of hosts and of the gateway that drives them: one authority of our own, keys that live for a day."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)
USAGES = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


@dataclass(frozen=True)
class Authority:
    """Signs certificates which are good for a server and for a client: in a migration a host is both."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("hosts of the tests")
        built = _unsigned(name, name, key.public_key())
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        built = built.add_extension(_key_usage(signs=True), critical=True)
        return cls(key, built.sign(key, hashes.SHA256()))

    def write(self, directory: Path, name: str, address: str | None = None) -> None:
        """The files of a ``pkipath``: cacert.pem, and one key with its certificate as client and as server."""
        directory.mkdir(parents=True)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(key, name, address).public_bytes(serialization.Encoding.PEM)
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (directory / "cacert.pem").write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        for role in ("client", "server"):
            (directory / f"{role}cert.pem").write_bytes(certificate)
            path = directory / f"{role}key.pem"
            path.touch(mode=0o600)
            path.write_bytes(secret)

    def _signed(self, key: ec.EllipticCurvePrivateKey, name: str, address: str | None) -> x509.Certificate:
        alternatives: list[x509.GeneralName] = [x509.DNSName(name)]
        if address is not None:
            alternatives.append(x509.IPAddress(ipaddress.ip_address(address)))
        built = _unsigned(_name(name), self.certificate.subject, key.public_key())
        built = built.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        built = built.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        built = built.add_extension(x509.ExtendedKeyUsage(USAGES), critical=False)
        # Without keyEncipherment libvirt logs a warning for each connection.
        built = built.add_extension(_key_usage(signs=False), critical=True)
        return built.sign(self.key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _unsigned(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - DAY,
        not_valid_after=now + DAY,
    )


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
