"""The socket for this host: root and its group need no password, others are whom the configuration says."""

from __future__ import annotations

import asyncio
import os
import pwd
import stat
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from gateway.http import local_socket
from gateway.http.local_socket import HostUsers, Peer
from tests.api.client import ApiClient
from tests.api.streams import listening

KEY = {"credentialTemplate": {"key": "ssh-ed25519 AAAA me@here"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "socket"


@pytest.fixture
def settings(settings: config.Settings, path: Path) -> config.Settings:
    return replace(settings, server=replace(settings.server, socket=str(path)))


@pytest.fixture
async def here(gateway: Gateway, path: Path) -> AsyncIterator[ApiClient]:
    """A client at the socket, without any credentials."""
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
        yield ApiClient(session, "http://localhost/cimi/", "")


async def test_who_may_open_it_is_an_admin_without_a_password(here: ApiClient) -> None:
    assert (await here.put("", {"name": "mine"})).status == 200
    assert (await here.document("users"))["count"] == 4


async def test_events_name_the_uid(here: ApiClient) -> None:
    await here.post("credentials", KEY)
    events = (await here.document("eventLogs/changes/events"))["events"]
    assert {event["content"].get("initiator") for event in events if "access" in event["type"]} == {
        f"uid {os.getuid()}"
    }


async def test_what_is_made_by_it_is_not_there_for_others(here: ApiClient, client: Callable[..., ApiClient]) -> None:
    made = await here.post("credentials", KEY)
    place = made.location.rpartition("/cimi/")[2]
    assert (await client("operator").get(place)).status == 404


async def test_who_comes_by_it_may_act_in_a_project(here: ApiClient, client: Callable[..., ApiClient]) -> None:
    made = await replace(here, project="operator").post("credentials", KEY)
    place = made.location.rpartition("/cimi/")[2]
    assert (await client("operator").get(place)).status == 200


async def test_credentials_go_before_it(here: ApiClient) -> None:
    assert (await replace(here, user="viewer").put("", {"name": "x"})).status == 403
    assert (await replace(here, user="viewer", password="wrong").get("")).status == 401


async def test_reads_by_it_are_remembered(here: ApiClient, gateway: Gateway) -> None:
    texts = {(await here.get("machineConfigs")).text for _ in range(3)}
    assert len(texts) == 1


async def test_the_stream_is_read_by_it(here: ApiClient) -> None:
    async with listening(here) as stream:
        await here.post("credentials", KEY)
        await stream.until(lambda message: "credentials" in "".join(message.data))


async def test_only_its_group_may_open_it(gateway: Gateway, path: Path) -> None:
    status = await asyncio.to_thread(path.stat)
    assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o660, os.getegid())


async def test_it_goes_with_the_gateway(settings: config.Settings, driver: MemoryDriver, path: Path) -> None:
    gateway = Gateway(settings, {driver.name: driver})
    await gateway.start()
    assert await asyncio.to_thread(path.exists)
    await gateway.stop()
    assert not await asyncio.to_thread(path.exists)


async def test_one_that_was_left_behind_is_replaced(
    settings: config.Settings, driver: MemoryDriver, path: Path
) -> None:
    (await asyncio.to_thread(local_socket.make, path, HostUsers("", ()))).detach()
    gateway = Gateway(settings, {driver.name: driver})
    await gateway.start()
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
        assert (await ApiClient(session, "http://localhost/cimi/", "").get("machines")).status == 200
    await gateway.stop()


async def test_a_file_in_its_place_is_left_and_named(
    settings: config.Settings, driver: MemoryDriver, path: Path
) -> None:
    await asyncio.to_thread(path.write_text, "precious")
    with pytest.raises(config.ConfigError, match="is no socket"):
        await Gateway(settings, {driver.name: driver}).start()
    assert await asyncio.to_thread(path.read_text) == "precious"


async def test_a_path_that_is_too_long_is_named(
    settings: config.Settings, driver: MemoryDriver, tmp_path: Path
) -> None:
    long = replace(settings, server=replace(settings.server, socket=str(tmp_path / ("x" * 120))))
    with pytest.raises(config.ConfigError, match="longer than"):
        await Gateway(long, {driver.name: driver}).start()


# Other accounts of the host


def test_an_account_is_the_user_that_it_is_mapped_to() -> None:
    name = pwd.getpwuid(os.getuid()).pw_name
    users = HostUsers("", [f"{name} = ann", "4711=bob"])
    assert users.user(Peer(os.getuid(), 1)) == "ann"
    assert (users.user(Peer(4711, 4711)), users.user(Peer(4712, 4712))) == ("bob", None)


def test_of_accounts_that_may_all_open_it_root_and_the_group_are_admins() -> None:
    users = HostUsers("", ["4711=bob"])
    peers = [Peer(0, 0), Peer(4712, os.getegid()), Peer(4711, 4711), Peer(4712, 4712)]
    assert users.mode == 0o666
    assert [users.is_admin(peer) for peer in peers] == [True, True, False, False]


@pytest.mark.parametrize(("group", "mapped"), [("nosuch", ()), ("", ["nosuch=ann"]), ("", ["ann"]), ("", ["=ann"])])
def test_what_this_host_does_not_have_is_named(group: str, mapped: tuple[str, ...]) -> None:
    with pytest.raises(config.ConfigError):
        HostUsers(group, mapped)


class TestAnAccountThatIsMapped:
    @pytest.fixture
    def settings(self, settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> config.Settings:
        monkeypatch.setattr(HostUsers, "is_admin", lambda _users, _peer: False)
        return replace(settings, auth=replace(settings.auth, socket_users=[f"{os.getuid()}=viewer"]))

    async def test_it_has_the_rights_of_the_user(self, here: ApiClient) -> None:
        assert (await here.get("machines")).status == 200
        assert (await here.put("", {"name": "x"})).status == 403


class TestAnAccountThatIsNobody:
    @pytest.fixture
    def settings(self, settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> config.Settings:
        monkeypatch.setattr(HostUsers, "is_admin", lambda _users, _peer: False)
        return replace(settings, auth=replace(settings.auth, socket_users=["4711=viewer"]))

    async def test_it_is_refused(self, here: ApiClient) -> None:
        assert (await here.get("machines")).status == 401


# Made by systemd


async def test_a_socket_that_systemd_has_made_is_taken_and_left(
    settings: config.Settings, driver: MemoryDriver, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any word of it in the configuration, too."""
    made = await asyncio.to_thread(local_socket.make, path, HostUsers("", ()))
    monkeypatch.setattr(local_socket, "FIRST_HANDED", os.dup(made.fileno()))
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    gateway = Gateway(replace(settings, server=replace(settings.server, socket="")), {driver.name: driver})
    await gateway.start()
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
        assert (await ApiClient(session, "http://localhost/cimi/", "").get("machines")).status == 200
    await gateway.stop()
    assert await asyncio.to_thread(path.exists)
    assert "LISTEN_FDS" not in os.environ
    made.close()
