"""What a connection URI says: on which host its libvirt is, and by which socket it is reached."""

from __future__ import annotations

import pytest

from drivers.libvirt.uri import endpoint, is_local, is_system
from tests.unit.drivers.uris import SYSTEM


@pytest.mark.parametrize("uri", SYSTEM)
def test_a_system_libvirt_is_one_whatever_its_transport_and_parameters(uri: str) -> None:
    assert is_system(uri)


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
