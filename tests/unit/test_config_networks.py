"""What the configuration says of networks, and what it may not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.base import AddressPool, Bandwidth, Traffic
from gateway.config import ConfigError, load
from tests.unit.configurations import HYPERVISOR, configured

POOL = HYPERVISOR + "[[hypervisor.address_pools]]\n"
WIDE = 'range = "10.0.0.0/16"\nprefix = 24\n'
CLASS = HYPERVISOR + "[[hypervisor.bandwidth_classes]]\n"


def test_a_hypervisor_has_address_pools_of_both_protocols_unless_others_are_named(tmp_path: Path) -> None:
    assert len(load(configured(tmp_path, "")).hypervisors[0].address_pools) == 2
    named = load(configured(tmp_path, POOL + 'range = "10.0.0.0/16"\nprefix = 26')).hypervisors[0]
    assert named.address_pools == (AddressPool("10.0.0.0/16", 26),)


def test_a_bandwidth_class_is_traffic_in_both_directions(tmp_path: Path) -> None:
    text = CLASS + 'name = "GOLD"\ninbound = 1000\ninbound_peak = 2000\noutbound = 500'
    found = load(configured(tmp_path, text)).hypervisors[0].bandwidth_classes[0]
    assert found.traffic == Traffic(Bandwidth(1000, 2000), Bandwidth(500))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (POOL + 'range = "nonsense"\nprefix = 24', "[[hypervisor.address_pools]] range"),
        (POOL + 'range = "10.0.0.1/16"\nprefix = 24', "[[hypervisor.address_pools]] range"),
        (POOL + 'range = "10.0.0.0/16"\nprefix = 12', "[[hypervisor.address_pools]] prefix"),
        (POOL + 'range = "10.0.0.0/16"\nprefix = 30', "[[hypervisor.address_pools]] prefix"),
        (POOL + 'range = "fd00::/48"\nprefix = 80', "[[hypervisor.address_pools]] prefix"),
        (POOL + 'range = "10.0.0.0/16"', "[[hypervisor.address_pools]] prefix"),
        (POOL + WIDE + "[[hypervisor.address_pools]]\n" + 'range = "10.0.4.0/24"\nprefix = 24', "overlaps"),
        (CLASS + "inbound = 5", "[[hypervisor.bandwidth_classes]] name"),
        (CLASS + 'name = ""\ninbound = 5', "[[hypervisor.bandwidth_classes]] name"),
        (CLASS + 'name = "a"\ninbound = -5', "inbound"),
        (CLASS + 'name = "a"\ninbound_peak = 5', "inbound"),
        (CLASS + 'name = "a"\noutbound = 5\noutbound_peak = 4', "outbound_peak"),
        (CLASS + 'name = "a"\n[[hypervisor.bandwidth_classes]]\nname = "A"', "same name"),
        (HYPERVISOR + 'public_networks = "bridge"', "public_bridge"),
        (HYPERVISOR + 'public_networks = "vpn"', "public_networks"),
        (HYPERVISOR + "largest_mtu = 1000", "largest_mtu"),
        (HYPERVISOR + 'dns_domain = "Not A Domain"', "dns_domain"),
        (HYPERVISOR + 'anti_spoofing = "no"', "anti_spoofing"),
        (HYPERVISOR + "host_networks = 5", "host_networks"),
    ],
)
def test_mistakes_are_named_with_file_and_key(tmp_path: Path, text: str, named: str) -> None:
    path = configured(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(path) in caught.value.message
    assert named in caught.value.message
