"""A real guest whose agent lies: a script at the guest's end of the agent's channel says what it likes.

It goes on when it reads nothing: libvirt connects only after the guest has opened its end.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from demo.guest_shell import run_in_guest
from tests.cimi_client import CimiClient, wait_until
from tests.gateway_process import GatewayProcess
from tests.guests import machine_create
from tests.system.networks import address, interfaces

pytestmark = pytest.mark.qemu
SEEN = 120.0
"""Seconds in which the gateway has asked a guest's agent, also one that has run for long."""
AGENT = r"""cat >/tmp/agent <<'END'
cd /sys/class/virtio-ports
for port in *; do
    [ "$(cat $port/name)" = org.qemu.guest_agent.0 ] && exec 3<>/dev/$port
done
while true; do
    while read -r line <&3; do
        case $line in
        *guest-sync*) echo "{\"return\": ${line##*:}" | tr -d '} ' | sed 's/$/}/' >&3 ;;
        *guest-network-get-interfaces*) echo >>/tmp/asked; [ -e /tmp/mute ] || cat /tmp/answer >&3 ;;
        *) echo '{"error": {"class": "CommandNotFound", "desc": "no"}}' >&3 ;;
        esac
    done
    sleep 0.2
done
END
"""
ODD = (
    ("no address", 24),
    ("999.1.1.1", 24),
    ("10.9.0.1\\u001b[31m", 24),
    ("127.0.0.1", 8),
    ("fe80::1%eth0", 64),
    ("ff02::1", 128),
    ("10.8.0.1", 4294967295),
)


def answer_script(mac: str) -> str:
    """A command that writes the agent's answer: what is odd first, then 200 addresses, on one interface."""
    odd = [{"ip-address-type": "ipv4", "ip-address": ip, "prefix": prefix} for ip, prefix in ODD]
    head = json.dumps({"name": "eth0", "hardware-address": mac, "ip-addresses": odd})[:-2].replace("\\\\u", "\\u")
    many = ', {\\"ip-address-type\\":\\"ipv4\\",\\"ip-address\\":\\"10.9.%d.7\\",\\"prefix\\":24}'
    return (
        f"printf '%s' '{{\"return\": [{head}' >/tmp/answer; "
        f'awk \'BEGIN {{ for (i = 0; i < 200; i++) printf "{many}", i; print "]}}]}}" }}\' >>/tmp/answer'
    )


@pytest.fixture(scope="module")
def liar(admin: CimiClient, guest: str) -> str:
    """URL of a running Machine whose agent lies about it."""
    uuid = guest.rpartition("/")[2]
    [interface] = interfaces(admin, guest)
    for command in (AGENT.strip(), answer_script(interface["macAddress"]), "sh /tmp/agent >/dev/null 2>&1 &"):
        # A typed line ends where the script's own lines do: each is written by itself.
        for line in _lines(command):
            code, output = run_in_guest(uuid, line)
            assert code == 0, (line, output)
    return guest


def _lines(command: str) -> list[str]:
    """What fits into one line of a terminal."""
    if not command.startswith("cat >/tmp/agent"):
        return [command.removesuffix("&") + "& true" if command.endswith("&") else command]
    body = command.splitlines()[1:-1]
    quoted = [line.replace("'", "'\\''") for line in body]
    return ["rm -f /tmp/agent", *(f"printf '%s\\n' '{line}' >>/tmp/agent" for line in quoted)]


def told_by_agent(client: CimiClient, machine: str) -> list[dict[str, Any]]:
    [interface] = interfaces(client, machine)
    listed = client.get(interface["addresses"]["href"] + "?$expand=address")
    addresses = [entry["address"] for entry in listed.get("machineNetworkInterfaceAddresses", [])]
    return [entry for entry in addresses if entry["source"] == "agent"]


def ready(gateway: GatewayProcess) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{gateway.port}/health/ready", timeout=10) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False


def test_of_what_an_agent_says_only_addresses_are_taken_and_a_bounded_number_of_them(
    admin: CimiClient, liar: str
) -> None:
    shown = wait_until(lambda: told_by_agent(admin, liar), SEEN, "the agent's addresses are shown")
    ips = {entry["ip"] for entry in shown}
    assert "10.8.0.1" in ips
    assert ips <= {"10.8.0.1", *(f"10.9.{number}.7" for number in range(200))}
    assert 32 < len(ips) <= 64


def test_a_prefix_that_no_network_has_is_not_believed(admin: CimiClient, liar: str) -> None:
    shown = wait_until(lambda: told_by_agent(admin, liar), SEEN, "the agent's addresses are shown")
    assert {entry["mask"] for entry in shown if entry["ip"] == "10.8.0.1"} == {"255.255.255.255"}


def test_the_address_of_another_guest_is_found_meanwhile(
    admin: CimiClient, gateway: GatewayProcess, image: str, liar: str
) -> None:
    wait_until(lambda: told_by_agent(admin, liar), SEEN, "the agent's addresses are shown")
    other = str(admin.added("machines", machine_create(image))["id"])
    assert address(admin, interfaces(admin, other)[0])
    assert ready(gateway)


def asked(machine: str) -> int:
    """How often the agent was asked for addresses."""
    return int(run_in_guest(machine.rpartition("/")[2], "wc -l </tmp/asked")[1])


def test_an_agent_that_says_nothing_does_not_cost_the_connection_to_the_hypervisor(
    gateway: GatewayProcess, liar: str
) -> None:
    run_in_guest(liar.rpartition("/")[2], "touch /tmp/mute")
    before, lost = asked(liar), gateway.log.read_text().count("state=down")
    wait_until(lambda: asked(liar) >= before + 2, 2 * SEEN, "the silent agent was asked twice")
    assert gateway.log.read_text().count("state=down") == lost
    assert ready(gateway)
