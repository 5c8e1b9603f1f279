"""The hostile parts of a package, read by the reading process: the descriptor, the manifest, the certificate.

Beside gateway.ovf, which knows no drivers, and drivers.confined, which knows no packages.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.confined.errors import Unreadable
from drivers.confined.reading import Reading, Supply
from gateway.ovf.certificate import Certificate, read_certificate
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.manifest import Sum, read_manifest
from gateway.ovf.model import Envelope
from gateway.ovf.reading import read_envelope


@dataclass(frozen=True, slots=True)
class WholeFile:
    """All that comes along is one file of the package."""


@dataclass(frozen=True, slots=True)
class CertificateFile:
    """The certificate file comes along, and behind its ``size`` bytes the manifest that it may sign."""

    size: int


def _envelope(_question: WholeFile, supply: Supply) -> Envelope:
    try:
        return read_envelope(supply.content)
    except PackageInvalid as error:
        raise Unreadable(error.words) from None


def _sums(_question: WholeFile, supply: Supply) -> dict[str, Sum]:
    try:
        return read_manifest(supply.content)
    except PackageInvalid as error:
        raise Unreadable(error.words) from None


def _certificate(question: CertificateFile, supply: Supply) -> Certificate:
    try:
        return read_certificate(supply.content[: question.size], supply.content[question.size :])
    except PackageInvalid as error:
        raise Unreadable(error.words) from None


DESCRIPTOR = Reading("gateway.package_reading:DESCRIPTOR", WholeFile, Envelope, _envelope)
MANIFEST = Reading("gateway.package_reading:MANIFEST", WholeFile, dict[str, Sum], _sums)
CERTIFICATE = Reading("gateway.package_reading:CERTIFICATE", CertificateFile, Certificate, _certificate)
