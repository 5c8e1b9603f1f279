"""Two remote hosts and a gateway over both, for the tests of one module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cimi_client import CimiClient
from tests.guests import bootable_image
from tests.hosts.gateway import HostsGateway
from tests.hosts.recipe import RemoteHost, remote_hosts


@pytest.fixture(scope="module")
def hosts(images: Path) -> Iterator[list[RemoteHost]]:  # made first: its time is not the hosts'
    with remote_hosts(2) as made:
        yield made


@pytest.fixture(scope="module")
def first(hosts: list[RemoteHost]) -> RemoteHost:
    """The host where new Machines go."""
    return hosts[0]


@pytest.fixture(scope="module")
def second(hosts: list[RemoteHost]) -> RemoteHost:
    return hosts[1]


@pytest.fixture(scope="module")
def gateway(
    hosts: list[RemoteHost],
    images: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[HostsGateway]:
    entries = tuple((host.name, host.uri) for host in hosts)
    process = HostsGateway(tmp_path_factory.mktemp("gateway"), "default", images, entries=entries, hosts=hosts)
    process.prepare()
    process.start()
    yield process
    process.clear()


@pytest.fixture(autouse=True)
def gateway_is_alive(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give the next test a gateway again: libvirt's own client crashes on TLS, rarely, under the test that sees it."""
    yield
    if "gateway" in request.fixturenames:
        request.getfixturevalue("gateway").revive()


@pytest.fixture(scope="module")
def admin(gateway: HostsGateway) -> CimiClient:
    return gateway.client("admin")


@pytest.fixture(scope="module")
def image(admin: CimiClient, images: Path) -> str:
    return bootable_image(admin, images)
