"""What a connection URI says: on which host its libvirt is, and by which socket it is reached."""

from __future__ import annotations

import pytest

from drivers.libvirt.connection import Connection
from drivers.libvirt.console import Console
from drivers.libvirt.storage import Storage
from drivers.libvirt.uri import endpoint, is_local, is_system

SYSTEM = (
    "qemu:///system",
    "qemu:///system?socket=/run/other/libvirt-sock",
    "qemu+unix:///system?socket=/run/other/libvirt-sock",
    "qemu://host/system",
    "qemu+tls://host/system",
    "qemu+tls://host:16000/system?pkipath=/etc/pki/gateway",
    "qemu+tls://[fd00::1]/system?no_verify=1",
    "qemu+ssh://root@host/system?keyfile=/root/key&no_verify=1",
)


def console_directory(uri: str) -> str:
    connection = Connection(uri)
    return Console(connection, Storage(connection)).directory


@pytest.mark.parametrize("uri", SYSTEM)
def test_consoles_of_a_system_libvirt_are_below_var_lib_libvirt_whatever_its_transport_and_parameters(uri: str) -> None:
    assert console_directory(uri) == "/var/lib/libvirt/cimi-console"
    assert is_system(uri)


@pytest.mark.parametrize("uri", ["qemu:///session", "qemu+unix:///session?socket=/run/x/system", "test:///default"])
def test_consoles_of_a_session_of_this_user_are_in_the_users_own_state(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/home/somebody/state")
    assert console_directory(uri) == "/home/somebody/state/cimi-console"


@pytest.mark.parametrize("uri", ["qemu+ssh://host/session", "qemu+tls://host/session?pkipath=/x"])
def test_no_console_of_a_remote_session_is_put_where_the_gateways_own_home_would_be(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/home/somebody/state")
    assert console_directory(uri) == "/var/tmp/cimi-console"


@pytest.mark.parametrize(
    ("uri", "reached_at"),
    [
        ("qemu://host/system", ("host", 16514)),
        ("qemu+tls://host/system?pkipath=/x", ("host", 16514)),
        ("qemu+tls://host:16000/system", ("host", 16000)),
        ("qemu+tls://[fd00::1]/system", ("fd00::1", 16514)),
        ("qemu+tcp://192.0.2.1/system", ("192.0.2.1", 16509)),
        ("qemu:///system", None),
        ("qemu+unix:///system?socket=/x", None),
        # ssh has names and ways of its own, by its configuration.
        ("qemu+ssh://root@host/system", None),
        ("qemu+libssh2://root@host/system", None),
        ("test:///default", None),
    ],
)
def test_libvirts_own_wire_is_reached_at_its_host_and_port(uri: str, reached_at: tuple[str, int] | None) -> None:
    assert endpoint(uri) == reached_at


def test_only_a_uri_without_a_host_is_of_this_machine() -> None:
    assert is_local("qemu:///system")
    assert not is_local("qemu+tls://host/system?pkipath=/x")
