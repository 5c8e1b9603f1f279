"""Names on the hypervisor: ours tell the resource they belong to, foreign ones tell nothing."""

from __future__ import annotations

import pytest

from drivers.base import network_uuid
from drivers.base.networks import network_name

UUID = "1b4df1d4-3a73-4a5c-9d5c-000000000001"


def test_the_name_of_our_network_tells_its_uuid() -> None:
    assert network_uuid(network_name(UUID)) == UUID


@pytest.mark.parametrize("name", ["default", "cimi-", "cimi-demo", UUID, f"other-{UUID}", f"cimi-{UUID}-2"])
def test_a_foreign_name_tells_no_uuid(name: str) -> None:
    assert network_uuid(name) is None
