"""What a package carries of CIMI is read as if a client had sent it: nothing of it is believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drivers.base import AddressPool
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.packages import (
    NAMESPACE,
    OWN,
    TYPE,
    address,
    component,
    described,
    imported,
    machine,
    made,
    nothing_left,
    package,
    section,
    template,
)
from tests.api.systems import members

pytestmark = pytest.mark.slow

EXTRA = OWN.replace(":c", "")
GROUP = component("ForwardingGroup", '<network href="#front"/>')


@pytest.mark.parametrize(
    ("collection", "web", "said"),
    [
        (section(""), "", "has 0 elements"),
        (template() + template(), "", "has 2 elements TemplateSection"),
        (section(f"<Machine {NAMESPACE}/>"), "", "says 'Machine' where SystemTemplate"),
        (section(f"<SystemTemplate {NAMESPACE}><magic/></SystemTemplate>"), "", "magic: is not an attribute here"),
        (template(component("Machine", "<initialState>STARTED</initialState>")), "", "'Machine' does not belong here"),
        (template(component("Meter", "<name>m</name>")), "", "'Meter' does not belong here"),
        (template(f"<name>a</name><type>{TYPE}Address</type>"), "", "0.addressTemplate: is missing"),
        (template(GROUP + "<quantity>200</quantity>"), "", "componentDescriptors.0.quantity: does not belong here"),
        (template(*[address("", f"a{number}") for number in range(201)]), "", "has 201 descriptors; at most 200"),
        (template(address(""), address("")), "", "'a' is the name of another Address"),
        (template(address("<ip>10.0.0.999</ip>")), "", "ip: '10.0.0.999' is no IPv4 or IPv6 address"),
        (template(address("<hostname>a b</hostname>")), "", "'a b' is no host name"),
        (template(address("<allocation>sometimes</allocation>")), "", "addressTemplate.allocation"),
        (template(component("Address", '<network href="#none"/>')), "", "names the network 'none'"),
        (template(component("Address", '<network href="networks/1"/>')), "", "'networks/1' is not in the package"),
        (template(component("Address", '<network href="http://h/n"/>')), "", "'http://h/n' is not in the package"),
        (
            template(
                component("NetworkPort", '<network href="#front"/><networkPortConfig href="networkPortConfigs/1"/>')
            ),
            "",
            "'networkPortConfigs/1' is not in the package",
        ),
        (
            template(component("NetworkPort", f'<network href="#front"/><macAddress {EXTRA}>x</macAddress>')),
            "",
            "'x' is no MAC address",
        ),
        (
            template(component("Network", f"<networkConfig><cidr {EXTRA}>x</cidr></networkConfig>", "front")),
            "",
            "'x' is no range of addresses",
        ),
        (
            template(component("Network", '<forwardingGroup href="#none"/>', "front")),
            "",
            "there is no ForwardingGroup 'none' beside it",
        ),
        ("", machine('<credential href="credentials/1"/>'), "'credentials/1' is not in the package"),
        ("", machine('<credential href="#none"/>'), "there is no Credential 'none' beside it"),
        ("", machine('<networkInterface><address href="#none"/></networkInterface>'), "there is no Address 'none'"),
        ("", machine('<networkInterface><networkPort href="#none"/></networkInterface>'), "there is no NetworkPort"),
        ("", machine("<networkInterface><address><ip>x</ip></address></networkInterface>"), "'x' is no IPv4 or IPv6"),
        ("", machine("<networkInterface><mtu>many</mtu></networkInterface>"), "networkInterfaces.0.mtu"),
        ("", machine('<volume href="volumes/1"/>'), "'volumes/1' is not in the package"),
        ("", machine('<volume href="#data" initialLocation="/etc"/>'), "'/etc' is no device name"),
    ],
)
async def test_a_wrong_template_is_refused_at_once_with_its_place(
    admin: ApiClient, gateway: Gateway, images: Path, tmp_path: Path, collection: str, web: str, said: str
) -> None:
    (images / "shop.ova").write_bytes(package(tmp_path, described(collection=collection, web=web)))
    answer = await admin.act("systems", "import", source=f"file://{images / 'shop.ova'}")
    assert answer.status == 400, answer.text
    assert answer.message.startswith("source: ")
    assert said in answer.message
    assert "shop" in answer.message or "web" in answer.message
    await nothing_left(admin, gateway)


@pytest.mark.parametrize(
    ("collection", "said"),
    [
        (
            template(
                component(
                    "NetworkPort", "<macAddress xmlns='http://cimi-gateway.org/ns/1'>52:54:00:00:00:09</macAddress>"
                )
            ),
            "networkPortTemplate.network",
        ),
        (template(component("Credential", "<key>-----BEGIN PRIVATE KEY-----</key>")), "private key"),
        (template(GROUP, component("ForwardingGroup", '<network href="#front"/>', "b")), "at most"),
    ],
)
async def test_what_no_create_would_take_fails_the_job_with_its_place(
    admin: ApiClient, gateway: Gateway, images: Path, tmp_path: Path, collection: str, said: str
) -> None:
    (images / "shop.ova").write_bytes(package(tmp_path, described(collection=collection)))
    job = await imported(admin, "systems", f"file://{images / 'shop.ova'}")
    assert (job["state"], job["returnCode"] // 100) == ("FAILED", 104), job
    assert said in job["statusMessage"]
    assert "componentDescriptors" in job["statusMessage"] or "ForwardingGroup" in job["statusMessage"]
    await nothing_left(admin, gateway)


async def test_a_password_in_a_package_is_nobodys(
    admin: ApiClient, gateway: Gateway, images: Path, tmp_path: Path
) -> None:
    key = "<key>ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFh7tJsbDgvTSSZxYyYBvzNDo0yq4ZbRHBeXGHMlkjkM</key>"
    secret = "<userName>ops</userName><password>hunter22</password>"
    (images / "shop.ova").write_bytes(
        package(tmp_path, described(collection=template(component("Credential", secret + key))))
    )
    system = await made(admin, "systems", f"file://{images / 'shop.ova'}")
    [credential] = (await members(admin, system["id"], "credentials")).values()
    kept = await gateway.store.get(credential["id"].removeprefix(admin.base))
    assert kept is not None
    assert (kept.document["userName"], "password_hash" in kept.internal) == ("ops", False)


async def test_a_section_whose_hardware_was_changed_since_is_put_aside(
    admin: ApiClient, images: Path, tmp_path: Path
) -> None:
    two = "<networkInterface><mtu>1400</mtu></networkInterface>" * 2
    (images / "shop.ova").write_bytes(package(tmp_path, described(web=machine(two))))
    system = await made(admin, "systems", f"file://{images / 'shop.ova'}")
    assert "networkInterfaces: its hardware was changed since" in system["properties"]["ovf.ignored"]


async def test_an_address_that_its_network_cannot_give_is_replaced_and_told(
    admin: ApiClient, images: Path, tmp_path: Path
) -> None:
    lies = template(address("<ip>192.0.2.1</ip>"), address("<ip>192.0.2.1</ip>", "b"))
    (images / "shop.ova").write_bytes(package(tmp_path, described(collection=lies)))
    system = await made(admin, "systems", f"file://{images / 'shop.ova'}")
    addresses = await members(admin, system["id"], "addresses")
    assert all(found["ip"].startswith("10.113.") for found in addresses.values())
    assert system["properties"]["ovf.ignored"].count("192.0.2.1 is replaced by another") == 2


async def test_what_is_unknown_or_impossible_here_is_left_out_and_told(
    admin: ApiClient, images: Path, tmp_path: Path
) -> None:
    network = component("Network", "<networkConfig><mtu>999999</mtu></networkConfig>", "front")
    volume = component("Volume", "<volumeConfig><type>https://example.org/ssd</type></volumeConfig>", "data")
    (images / "shop.ova").write_bytes(package(tmp_path, described(collection=template(network, volume))))
    system = await made(admin, "systems", f"file://{images / 'shop.ova'}")
    told = system["properties"]["ovf.ignored"]
    assert "mtu 999999 of Network 'front': must be between" in told
    assert "type https://example.org/ssd of Volume" in told


class TestWithoutIpv6:
    @pytest.fixture
    def hypervisor(self) -> dict[str, Any]:
        return {"address_pools": (AddressPool("10.113.0.0/16", 24),)}

    async def test_an_address_of_a_protocol_that_is_not_here_is_left_out_and_told(
        self, admin: ApiClient, images: Path, tmp_path: Path
    ) -> None:
        six = template(address("<protocol>IPv6</protocol>", "six"), address("", "four"))
        uses = machine('<networkInterface><address href="#six"/><address href="#four"/></networkInterface>')
        (images / "shop.ova").write_bytes(package(tmp_path, described(collection=six, web=uses)))
        system = await made(admin, "systems", f"file://{images / 'shop.ova'}")
        assert sorted(await members(admin, system["id"], "addresses")) == ["four"]
        told = "Address 'six': there are no IPv6 addresses in its Network here"
        assert told in system["properties"]["ovf.ignored"]


async def test_a_section_that_is_required_by_another_program_is_read_all_the_same(
    admin: ApiClient, images: Path, tmp_path: Path
) -> None:
    one = template(address("")).replace('ovf:required="false"', "")
    (images / "shop.ova").write_bytes(package(tmp_path, described(collection=one)))
    system = await made(admin, "systems", f"file://{images / 'shop.ova'}")
    assert sorted(await members(admin, system["id"], "addresses")) == ["a"]
