"""Where the admin requires it, no guest runs unless libvirt confines it; libvirt itself says whether it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests import hypervisor
from tests.cimi_client import CimiClient, wait_until
from tests.gateway_process import GatewayProcess
from tests.guests import machine_create

pytestmark = pytest.mark.qemu
CONFINING = {"apparmor", "selinux"}


@pytest.fixture(scope="module")
def gateway(pool: str, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    home = tmp_path_factory.mktemp("gateway")
    process = GatewayProcess(home, pool, images, hypervisor="require_confinement = true")
    process.prepare()
    process.start()
    yield process
    process.clear()


@pytest.fixture(scope="module")
def confined() -> bool:
    with hypervisor.connection() as host:
        models = etree.fromstring(host.getCapabilities()).iterfind("host/secmodel/model")
    return not CONFINING.isdisjoint(str(model.text) for model in models)


def test_the_log_says_whether_guests_are_confined(gateway: GatewayProcess, confined: bool) -> None:
    words = "guests are confined" if confined else "guests are not confined"
    wait_until(lambda: words in gateway.log.read_text(), 60, f"the log says that {words}")


def test_a_machine_is_made_only_where_guests_are_confined(admin: CimiClient, image: str, confined: bool) -> None:
    answer = admin.request("POST", "machines", machine_create(image, "STOPPED"))
    assert (answer.status == 503) is not confined, answer.body
    assert (b"require_confinement" in answer.body) is not confined
