"""A certificate is shown, and its signature compared with the manifest."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.ovf.certificate import read_certificate
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.package import unpack
from tests.unit.ovf.certificates import Key, certified
from tests.unit.ovf.samples import Kept, envelope, in_pieces, manifest, ova, system

MANIFEST = b"SHA256(a.ovf)= 00\n"


@pytest.fixture(scope="module", params=["rsa", "ec"])
def key(request: pytest.FixtureRequest) -> Key:
    return rsa.generate_private_key(65537, 2048) if request.param == "rsa" else ec.generate_private_key(ec.SECP256R1())


def test_a_certificate_that_signs_the_manifest_says_so(key: Key) -> None:
    found = read_certificate(certified(key, MANIFEST), MANIFEST)
    assert found.signs
    assert (found.subject, found.issuer) == ("CN=Example Appliances", "CN=Example Appliances")
    assert len(found.fingerprint) == 64


def test_a_signature_of_another_manifest_does_not_hold(key: Key) -> None:
    assert not read_certificate(certified(key, b"other"), MANIFEST).signs


def test_a_certificate_without_a_signature_signs_nothing(key: Key) -> None:
    alone = certified(key, MANIFEST).partition(b"\n")[2]
    assert not read_certificate(alone, MANIFEST).signs


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_refused(content: bytes) -> None:
    with pytest.raises(PackageInvalid, match="certificate"):
        read_certificate(content, MANIFEST)


async def test_a_package_tells_of_its_certificate() -> None:
    first = ("a.ovf", envelope(system("v")))
    sums = manifest(first)
    signed = certified(ec.generate_private_key(ec.SECP256R1()), sums)
    package = await unpack(in_pieces(ova(first, ("a.mf", sums), ("a.cert", signed))), Kept(), 1000)
    assert package.certificate is not None
    assert package.certificate.signs
