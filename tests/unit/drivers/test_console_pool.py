"""Where the logs of serial consoles are: on the hypervisor's own host, where nobody else can put something before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libvirt
import pytest
from lxml import etree

from drivers.base import DriverUnsupported
from drivers.libvirt.connection import Connection
from drivers.libvirt.console import Console
from drivers.libvirt.storage import Storage
from tests.unit.drivers.libvirt_doubles import Failed
from tests.unit.drivers.uris import SYSTEM

REMOTE_SESSIONS = ("qemu+ssh://host/session", "qemu+tls://host/session?pkipath=/x")
COMMAND = (
    "LC_ALL=C PATH=/usr/bin HOME=/home/some body XDG_CACHE_HOME={0}/domain--1-x/.cache /usr/bin/qemu-system-x86_64 "
    """-name guest=x -object '{{"qom-type":"secret","file":"{0}/domain--1-x/master-key.aes"}}' """
    "-chardev socket,id=charmonitor,path={0}/domain--1-x/monitor.sock,server=on"
)


class Host:
    """libvirt's pools, and the words in which it tells what a guest would be started by."""

    def __init__(self, lib: str = "/home/some body/.config/libvirt/qemu/lib") -> None:
        self.command = COMMAND.format(lib)
        self.pools: dict[str, Pool] = {}
        self.guest = ""

    def getCapabilities(self) -> str:  # noqa: N802 - libvirt's name
        return """<capabilities><host><cpu><arch>x86_64</arch></cpu></host>
            <guest><os_type>hvm</os_type><arch name='i686'><domain type='qemu'/></arch></guest>
            <guest><os_type>hvm</os_type><arch name='x86_64'><domain type='kvm'/></arch></guest></capabilities>"""

    def domainXMLToNative(self, form: str, guest: str, _flags: int) -> str:  # noqa: N802 - libvirt's name
        assert form == "qemu-argv"
        self.guest = guest
        return self.command

    def listStoragePools(self) -> list[str]:  # noqa: N802 - libvirt's name
        return [name for name, pool in self.pools.items() if pool.active]

    def storagePoolLookupByName(self, name: str) -> Pool:  # noqa: N802 - libvirt's name
        return self.pools[name]

    def storagePoolDefineXML(self, xml: str, _flags: int) -> Pool:  # noqa: N802 - libvirt's name
        name = str(etree.fromstring(xml).findtext("name"))
        if name in self.pools:
            raise Failed(libvirt.VIR_ERR_OPERATION_FAILED)
        return self.pools.setdefault(name, Pool(xml))


class Pool:
    def __init__(self, xml: str, *, active: bool = False) -> None:
        self._xml, self.active = xml, active

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802 - libvirt's name
        return self._xml

    def mode(self) -> str | None:
        return etree.fromstring(self._xml).findtext("target/permissions/mode")

    def setAutostart(self, _wanted: int) -> None:  # noqa: N802 - libvirt's name
        pass

    def create(self, flags: int) -> None:
        assert flags == libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD
        self.active = True


async def log_path(monkeypatch: pytest.MonkeyPatch, uri: str, host: Host) -> str:
    connection = Connection(uri)

    async def call(work: Callable[[Any], Any], **_options: Any) -> Any:
        return work(host)

    monkeypatch.setattr(connection, "call", call)
    monkeypatch.setenv("XDG_STATE_HOME", "/home/somebody/state")
    return await Console(connection, Storage(connection)).log_path("uuid")


@pytest.mark.parametrize("uri", SYSTEM)
async def test_those_of_a_system_libvirt_are_below_var_lib_libvirt(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    host = Host()
    assert await log_path(monkeypatch, uri, host) == "/var/lib/libvirt/cimi-console/uuid.log"
    assert host.pools["cimi-console"].mode() == "0711"


@pytest.mark.parametrize("uri", ["qemu:///session", "qemu+unix:///session?socket=/run/x/system", "test:///default"])
async def test_those_of_a_session_of_this_user_are_in_the_users_own_state(
    monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    host = Host()
    assert await log_path(monkeypatch, uri, host) == "/home/somebody/state/cimi-console/uuid.log"
    assert host.pools["cimi-console"].mode() == "0700"


@pytest.mark.parametrize("uri", REMOTE_SESSIONS)
async def test_those_of_a_remote_session_are_in_its_users_own_home(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    host = Host()
    assert await log_path(monkeypatch, uri, host) == "/home/some body/.config/libvirt/cimi-console/uuid.log"
    assert host.pools["cimi-console"].mode() == "0700"


async def test_the_guest_that_is_asked_about_is_one_that_the_host_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    await log_path(monkeypatch, REMOTE_SESSIONS[0], host)
    guest = etree.fromstring(host.guest)
    assert (guest.get("type"), guest.xpath("string(os/type/@arch)")) == ("kvm", "x86_64")


async def test_those_of_roots_session_are_where_the_systems_are(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host("/var/lib/libvirt/qemu")
    assert await log_path(monkeypatch, REMOTE_SESSIONS[0], host) == "/var/lib/libvirt/cimi-console/uuid.log"
    assert host.pools["cimi-console"].mode() == "0711"


async def test_no_place_is_guessed_where_libvirt_tells_none(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    host.command = "/usr/bin/qemu-system-x86_64 -S"
    with pytest.raises(DriverUnsupported, match="where its user's files are"):
        await log_path(monkeypatch, REMOTE_SESSIONS[0], host)
    assert host.pools == {}


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("uri", [SYSTEM[0], "qemu:///session", REMOTE_SESSIONS[0]])
async def test_a_guest_is_logged_where_the_pool_is_that_is_there_already(
    monkeypatch: pytest.MonkeyPatch, uri: str, active: bool
) -> None:
    host = Host()
    host.pools["cimi-console"] = Pool("<pool><target><path>/srv/consoles</path></target></pool>", active=active)
    assert await log_path(monkeypatch, uri, host) == "/srv/consoles/uuid.log"
    assert host.pools["cimi-console"].active
