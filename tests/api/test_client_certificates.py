"""Certificates of clients: of an authority of one's own, or single ones of single users; all others let nobody in."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway import config
from gateway.app import Gateway
from tests.api.accounts import remove
from tests.api.certificates import issue
from tests.api.client import ApiClient
from tests.api.streams import listening

PEM = serialization.Encoding.PEM
Comes = Callable[["Issued | None"], ApiClient]


@dataclass
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(PEM)

    def files(self, directory: Path, name: str) -> tuple[Path, Path]:
        chain, key = directory / f"{name}.pem", directory / f"{name}.key"
        chain.write_bytes(self.pem)
        form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        key.write_bytes(self.key.private_bytes(PEM, *form))
        return chain, key


def issued(name: str, by: Issued | None = None, *, days: int = 1, authority: bool = False) -> Issued:
    """A certificate with this subject, signed by another one or by itself; with ``days`` below 0 it is over."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signer = (by.certificate.subject, by.key) if by is not None else (subject, key)
    end = datetime.now(UTC) + timedelta(days=days)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(end - timedelta(days=400)).not_valid_after(end)
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    return Issued(builder.sign(signer, hashes.SHA256()), key)


@pytest.fixture
def own() -> Issued:
    return issued("lab", authority=True)


@pytest.fixture
def pinned() -> Issued:
    """The operator's, which could sign others: it says so of itself."""
    return issued("whoever", authority=True)


@pytest.fixture
def settings(settings: config.Settings, tmp_path: Path, own: Issued, pinned: Issued) -> config.Settings:
    issue(tmp_path / "tls.crt", tmp_path / "tls.key")
    (tmp_path / "authority.pem").write_bytes(own.pem)
    clients = tmp_path / "clients"
    clients.mkdir()
    (clients / "operator.crt").write_bytes(pinned.pem)
    server = replace(
        settings.server,
        tls_certificate=str(tmp_path / "tls.crt"),
        tls_key=str(tmp_path / "tls.key"),
        tls_client_ca=str(tmp_path / "authority.pem"),
        tls_client_certificates=str(clients),
    )
    return replace(settings, server=server)


@pytest.fixture
async def comes(gateway: Gateway, tmp_path: Path) -> AsyncIterator[Comes]:
    """``comes(certificate)``: a client that connects with it, and says nothing else of itself."""
    sessions: list[aiohttp.ClientSession] = []

    def by(certificate: Issued | None) -> ApiClient:
        context = ssl.create_default_context(cafile=str(tmp_path / "tls.crt"))
        if certificate is not None:
            context.load_cert_chain(*certificate.files(tmp_path, f"client{len(sessions)}"))
        sessions.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)))
        return ApiClient(sessions[-1], f"https://{gateway.settings.server.listen}/cimi/", "")

    yield by
    for session in sessions:
        await session.close()


async def test_the_authoritys_certificate_lets_the_user_in_that_it_names(comes: Comes, own: Issued) -> None:
    viewer = comes(issued("viewer", own))
    assert [item["name"] for item in (await viewer.document("users"))["users"]] == ["viewer"]
    assert (await viewer.put("", {"name": "x"})).status == 403
    assert (await comes(issued("admin", own)).put("", {"name": "x"})).status == 200


async def test_a_single_certificate_lets_its_user_in(comes: Comes, pinned: Issued) -> None:
    users = (await comes(pinned).document("users"))["users"]
    assert [item["name"] for item in users] == ["operator"]


async def test_without_a_certificate_other_credentials_do(comes: Comes) -> None:
    nobody = comes(None)
    assert (await nobody.get("machines")).status == 401
    assert (await replace(nobody, user="viewer").get("machines")).status == 200


async def test_credentials_in_the_request_go_before_the_certificate(comes: Comes, own: Issued) -> None:
    admin = comes(issued("admin", own))
    assert (await replace(admin, user="viewer").put("", {"name": "x"})).status == 403


async def test_who_is_no_user_is_refused(comes: Comes, own: Issued) -> None:
    assert (await comes(issued("nobody", own)).get("machines")).status == 401


async def test_what_a_pinned_certificate_has_signed_is_nobodys(comes: Comes, pinned: Issued) -> None:
    assert (await comes(issued("admin", pinned)).get("machines")).status == 401


@pytest.mark.parametrize("what", ["another authority", "over", "by itself"])
async def test_a_wrong_certificate_makes_no_connection(comes: Comes, own: Issued, what: str) -> None:
    certificate = {
        "another authority": lambda: issued("admin", issued("lab", authority=True)),
        "over": lambda: issued("admin", own, days=-1),
        "by itself": lambda: issued("admin"),
    }[what]()
    with pytest.raises(aiohttp.ClientError):
        await comes(certificate).get("machines")


async def test_a_user_who_was_removed_opens_nothing_that_is_remembered(
    comes: Comes, own: Issued, gateway: Gateway
) -> None:
    viewer = comes(issued("viewer", own))
    for _ in range(3):
        assert (await viewer.get("machineImages")).status == 200
    await remove(gateway, "viewer")
    assert (await viewer.get("machineImages")).status == 401


async def test_a_certificate_that_was_taken_away_counts_no_more_after_a_reload(
    comes: Comes, gateway: Gateway, pinned: Issued, tmp_path: Path
) -> None:
    """Neither on connections from before, nor for what goes on on them."""
    operator = comes(pinned)
    for _ in range(3):
        assert (await operator.get("machines")).status == 200
    async with listening(operator) as stream:
        await asyncio.to_thread((tmp_path / "clients" / "operator.crt").unlink)
        await gateway.reload()
        with pytest.raises(EOFError):
            await stream.until(lambda _message: False)
    assert (await operator.get("machines")).status == 401
    with pytest.raises(aiohttp.ClientError):
        await comes(pinned).get("machines")


async def test_another_authority_is_taken_up_by_a_reload(
    comes: Comes, gateway: Gateway, own: Issued, tmp_path: Path
) -> None:
    former, new = comes(issued("viewer", own)), issued("new lab", authority=True)
    assert (await former.get("machines")).status == 200
    await asyncio.to_thread((tmp_path / "authority.pem").write_bytes, new.pem)
    await gateway.reload()
    assert (await comes(issued("viewer", new)).get("machines")).status == 200
    assert (await former.get("machines")).status == 401


async def test_a_bad_file_leaves_the_former_ones(comes: Comes, gateway: Gateway, own: Issued, tmp_path: Path) -> None:
    await asyncio.to_thread((tmp_path / "authority.pem").write_text, "nonsense")
    await gateway.reload()
    assert (await comes(issued("viewer", own)).get("machines")).status == 200


async def test_older_versions_of_tls_are_refused(gateway: Gateway, tmp_path: Path) -> None:
    context = ssl.create_default_context(cafile=str(tmp_path / "tls.crt"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    host, _, port = gateway.settings.server.listen.rpartition(":")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        await asyncio.open_connection(host, int(port), ssl=context)
