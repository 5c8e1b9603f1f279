"""The certificate: replaced while the gateway runs, never by a bad one, and every mistake names its file."""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner

from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from gateway.cli import main
from gateway.errors import GatewayError
from tests.api.certificates import issue

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
Spoil = Callable[[Path, Path], Path]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Certificate and key."""
    chain, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    issue(chain, key)
    return chain, key


@pytest.fixture
def settings(settings: config.Settings, files: tuple[Path, Path]) -> config.Settings:
    chain, key = files
    return replace(settings, server=replace(settings.server, tls_certificate=str(chain), tls_key=str(key)))


@pytest.fixture
async def trusting(gateway: Gateway, files: tuple[Path, Path]) -> AsyncIterator[Callable[[str], aiohttp.ClientSession]]:
    opened: list[aiohttp.ClientSession] = []

    def of(chain: str) -> aiohttp.ClientSession:
        """A client with connections of its own, which trusts this certificate alone."""
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=chain))
        opened.append(aiohttp.ClientSession(connector=connector))
        return opened[-1]

    yield of
    for session in opened:
        await session.close()


async def status_of(session: aiohttp.ClientSession, gateway: Gateway) -> int:
    async with session.get(f"https://{gateway.settings.server.listen}/health") as answer:
        return answer.status


async def test_a_new_certificate_counts_for_new_connections_and_old_ones_go_on(
    gateway: Gateway, files: tuple[Path, Path], trusting: Callable[[str], aiohttp.ClientSession]
) -> None:
    chain, key = files
    before = trusting(chain.read_text())
    assert await status_of(before, gateway) == 200
    issue(chain, key)
    await gateway.reload()
    assert await status_of(before, gateway) == 200
    assert await status_of(trusting(chain.read_text()), gateway) == 200


async def test_the_old_certificate_is_not_shown_any_more(
    gateway: Gateway, files: tuple[Path, Path], trusting: Callable[[str], aiohttp.ClientSession]
) -> None:
    chain, key = files
    old = chain.read_text()
    issue(chain, key)
    await gateway.reload()
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await status_of(trusting(old), gateway)


# What cannot be used


def no_certificate(chain: Path, _key: Path) -> Path:
    chain.write_text("nonsense")
    return chain


def half_a_certificate(chain: Path, _key: Path) -> Path:
    chain.write_text(chain.read_text()[:200])
    return chain


def no_key(_chain: Path, key: Path) -> Path:
    key.write_text("nonsense")
    return key


def another_key(chain: Path, key: Path) -> Path:
    issue(chain.with_suffix(".other"), key)
    return key


def an_encrypted_key(chain: Path, key: Path) -> Path:
    issue(chain, key, "-passout", "pass:hunter2")
    return key


def a_key_for_everybody(_chain: Path, key: Path) -> Path:
    key.chmod(0o644)
    return key


def a_key_that_a_group_may_write(_chain: Path, key: Path) -> Path:
    key.chmod(0o660)
    return key


def a_missing_file(chain: Path, _key: Path) -> Path:
    chain.unlink()
    return chain


SPOILED = [
    no_certificate,
    half_a_certificate,
    no_key,
    another_key,
    an_encrypted_key,
    a_key_for_everybody,
    a_key_that_a_group_may_write,
    a_missing_file,
]


@pytest.mark.parametrize("spoil", SPOILED)
async def test_a_bad_new_certificate_keeps_the_old_one_and_is_logged(
    gateway: Gateway,
    files: tuple[Path, Path],
    trusting: Callable[[str], aiohttp.ClientSession],
    capfd: pytest.CaptureFixture[str],
    spoil: Spoil,
) -> None:
    old = files[0].read_text()
    wrong = spoil(*files)
    await gateway.reload()
    assert await status_of(trusting(old), gateway) == 200
    written = capfd.readouterr()
    assert str(wrong) in written.out + written.err


@pytest.mark.parametrize("spoil", SPOILED)
async def test_a_gateway_does_not_start_with_what_it_cannot_use_and_names_the_file(
    settings: config.Settings, driver: MemoryDriver, files: tuple[Path, Path], spoil: Spoil
) -> None:
    wrong = spoil(*files)
    with pytest.raises(GatewayError, match=str(wrong)) as refused:
        await Gateway(settings, {driver.name: driver}).start()
    assert settings.server.listen not in str(refused.value)


async def test_sighup_takes_up_a_new_certificate_of_the_running_program(
    settings: config.Settings, files: tuple[Path, Path]
) -> None:
    """The program itself, over the hypervisor that libvirt has for tests."""
    path = written(settings)
    whole = path.read_text().replace("qemu:///system", "test:///default")
    path.write_text(whole.replace("[server]", f'[server]\nlisten = "{settings.server.listen}"'))
    command: list[str | Path] = [sys.executable, "-m", "gateway", "serve", "--config", str(path)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=asyncio.subprocess.DEVNULL)
    try:
        await shown(settings, files[0])
        issue(*files)
        process.send_signal(signal.SIGHUP)
        await shown(settings, files[0])
        assert process.returncode is None
    finally:
        process.terminate()
        await process.wait()


def trusting_only(chain: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=chain.read_text())


async def shown(settings: config.Settings, chain: Path) -> None:
    """Wait until the program shows this certificate."""
    trust = trusting_only(chain)
    host, port = settings.server.host, settings.server.port
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(OSError):
                _reader, writer = await asyncio.open_connection(host, port, ssl=trust)
                writer.close()
                return
            await asyncio.sleep(0.05)


def written(settings: config.Settings) -> Path:
    """The configuration file of such a gateway."""
    path = settings.path
    path.write_text(
        f'[server]\ntls_certificate = "{settings.server.tls_certificate}"\ntls_key = "{settings.server.tls_key}"\n'
        f'[auth]\nusers_file = "{settings.auth.users_file}"\n[store]\npath = "{settings.store.path}"\n'
        '[[hypervisor]]\nname = "l"\nuri = "qemu:///system"\npool = "p"\nnetwork = "n"\n'
    )
    return path


@pytest.mark.parametrize("command", ["check", "serve"])
@pytest.mark.parametrize("spoil", SPOILED)
def test_the_command_line_refuses_it_and_names_the_file(
    settings: config.Settings, files: tuple[Path, Path], command: str, spoil: Spoil
) -> None:
    if command == "serve" and spoil not in (a_key_for_everybody, a_key_that_a_group_may_write, a_missing_file):
        # Others are looked at once the hypervisor is connected, as above.
        command = "check"
    wrong = spoil(*files)
    result = CliRunner().invoke(main, [command, "--config", str(written(settings))])
    assert result.exit_code == 78
    assert str(wrong) in result.output
    assert "Traceback" not in result.output


def test_what_can_be_used_is_valid(settings: config.Settings) -> None:
    assert CliRunner().invoke(main, ["check", "--config", str(written(settings))]).exit_code == 0


def test_the_installed_layout_is_valid(settings: config.Settings) -> None:
    """root:cimi-gateway 0640: the group is the gateway's."""
    for name in (settings.server.tls_key, settings.auth.users_file):
        Path(name).chmod(0o640)
    assert CliRunner().invoke(main, ["check", "--config", str(written(settings))]).exit_code == 0


@pytest.mark.parametrize("command", ["check", "serve"])
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o602])
def test_a_users_file_that_others_may_read_or_write_is_refused(
    settings: config.Settings, command: str, mode: int
) -> None:
    Path(settings.auth.users_file).chmod(mode)
    result = CliRunner().invoke(main, [command, "--config", str(written(settings))])
    assert result.exit_code == 78
    assert f"{settings.auth.users_file} has mode {mode:04o}" in result.output
    assert f"chmod 0640 {settings.auth.users_file}" in result.output
