"""Which leases a guest gives back when it goes, and that none keeps it from going."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libvirt
import pytest
from structlog.testing import capture_logs

from drivers.base import DriverFailed
from drivers.libvirt import leases
from drivers.libvirt.domains import Domains
from drivers.libvirt.lease_returns import LeaseReturns
from drivers.libvirt.leases import Lease

MAC, UUID = "52:54:00:01:02:03", "11111111-2222-4333-8444-555555555555"
FOUR = "<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.9'/></dhcp></ip>"
SIX = "<ip family='ipv6' address='fd00::1' prefix='64'><dhcp><range start='fd00::2' end='fd00::9'/></dhcp></ip>"
BARE = "<ip address='10.9.0.1' prefix='24'/>"


class Network:
    """libvirt's network, as far as its leases go."""

    def __init__(self, ranges: str) -> None:
        self._xml = f"<network><mac address='52:54:00:aa:bb:cc'/>{ranges}</network>"

    def name(self) -> str:
        return "default"

    def bridgeName(self) -> str:  # noqa: N802 - libvirt's name
        return "virbr0"

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802 - libvirt's name
        return self._xml

    def DHCPLeases(self, mac: str) -> list[dict[str, Any]]:  # noqa: N802 - libvirt's name
        four = {"mac": mac, "ipaddr": "10.0.0.5", "type": libvirt.VIR_IP_ADDR_TYPE_IPV4}
        return [four, {"mac": mac, "ipaddr": "fd00::5", "type": libvirt.VIR_IP_ADDR_TYPE_IPV6}]


class Domain:
    """libvirt's domain with one interface on a network; it is its own connection, too."""

    def __init__(self, ranges: str = FOUR) -> None:
        self._network = Network(ranges)
        self.undefined = False

    def connect(self) -> Domain:
        return self

    def lookupByUUIDString(self, _uuid: str) -> Domain:  # noqa: N802 - libvirt's name
        return self

    def networkLookupByName(self, _name: str) -> Network:  # noqa: N802 - libvirt's name
        return self._network

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802 - libvirt's name
        interface = f"<interface type='network'><mac address='{MAC}'/><source network='default'/></interface>"
        return f"<domain><devices>{interface}</devices></domain>"

    def isActive(self) -> bool:  # noqa: N802 - libvirt's name
        return False

    def isPersistent(self) -> bool:  # noqa: N802 - libvirt's name
        return True

    def undefineFlags(self, _flags: int) -> None:  # noqa: N802 - libvirt's name
        self.undefined = True


class Host:
    """Stands for the connection and for the guests that release."""

    def __init__(self, domain: Domain, uri: str, error: Exception | None = None) -> None:
        self.uri = uri
        self._domain = domain
        self._error = error

    async def call(self, work: Callable[[Any], Any], **_options: Any) -> Any:
        return work(self._domain)

    async def delete(self, _uuid: str) -> None:
        """Have no console."""

    async def give_back(self, lease: Lease) -> bool:
        leases.frame(lease)
        if self._error is not None:
            raise self._error
        return True


def of(ranges: str) -> list[tuple[str, str]]:
    return [(lease.ip, lease.server) for lease in leases.of(Domain(ranges))]


@pytest.mark.parametrize("ranges", [FOUR, SIX + FOUR, BARE + SIX + FOUR])
def test_an_ipv4_lease_is_the_ipv4_servers_wherever_its_range_stands(ranges: str) -> None:
    assert of(ranges) == [("10.0.0.5", "10.0.0.1")]


@pytest.mark.parametrize("ranges", [SIX, BARE, ""])
def test_where_no_server_gives_ipv4_there_is_nothing_to_give_back(ranges: str) -> None:
    assert of(ranges) == []


@pytest.mark.parametrize("error", [DriverFailed("no"), OSError("no"), ValueError("no")])
@pytest.mark.parametrize("uri", ["qemu:///system", "qemu+tls://host/system"])
async def test_a_lease_that_cannot_be_given_back_keeps_no_guest_from_going(
    error: Exception, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def release(_lease: Lease) -> None:
        raise error

    monkeypatch.setattr(leases, "release", release)
    domain = Domain()
    host = Host(domain, uri, error)
    with capture_logs() as lines:
        await Domains(host, host, host, LeaseReturns(host, host)).undefine(UUID)  # type: ignore[arg-type]
    assert domain.undefined
    assert [line["reason"] for line in lines] == ["no"]
