"""The guest that gives a lease back: one sector, which is what its source says, with a right DHCPRELEASE in it."""

from __future__ import annotations

import asyncio
import socket
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from drivers.libvirt import leases, release_guest
from drivers.libvirt.leases import Lease, frame
from drivers.libvirt.release_guest import CODE, disk

LEASE = Lease("virbr0", "192.168.122.1", "52:54:00:01:02:03", "192.168.122.77", "default", "52:54:00:aa:bb:cc")


def test_the_code_is_what_its_source_says(tmp_path: Path) -> None:
    source = Path(release_guest.__file__).with_suffix(".s")
    made, linked = tmp_path / "guest.o", tmp_path / "guest.bin"
    subprocess.run(["as", "--32", "-o", made, source], check=True)
    command: list[str | Path] = ["ld", "-m", "elf_i386", "--oformat", "binary", "-Ttext", "0x7c00", "-o", linked, made]
    subprocess.run(command, check=True, capture_output=True)
    assert linked.read_bytes() == CODE


def test_its_sector_can_be_booted_and_holds_the_frame_where_the_code_looks_for_it() -> None:
    sent = frame(LEASE)
    sector = disk(sent)[:512]
    assert sector[510:] == b"\x55\xaa"
    (length,) = struct.unpack_from("<H", sector, 126)
    assert sector[128 : 128 + length] == sent


def test_a_frame_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        disk(bytes(383))


def test_the_frame_goes_from_the_guests_hardware_to_the_servers() -> None:
    sent = frame(LEASE)
    assert sent[:14].hex() == "525400aabbcc5254000102030800"


def test_the_frame_is_a_datagram_from_the_guests_address_to_the_dhcp_server() -> None:
    header = frame(LEASE)[14:34]
    total = sum(struct.unpack("!10H", header))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF, "the checksum is right"
    assert (socket.inet_ntoa(header[12:16]), socket.inet_ntoa(header[16:20])) == (LEASE.ip, LEASE.server)
    assert struct.unpack("!HH", frame(LEASE)[34:38]) == (68, 67)
    assert struct.unpack("!H", header[2:4]) == (len(frame(LEASE)) - 14,)


def test_the_message_releases_the_guests_address_at_this_server() -> None:
    payload = frame(LEASE)[42:]
    assert payload[12:16] == socket.inet_aton(LEASE.ip)
    assert payload[28:34].hex() == "525400010203"
    assert payload[240:243] == leases.RELEASE
    assert payload[243:249] == b"\x36\x04" + socket.inet_aton(LEASE.server)


class Host:
    """libvirt with a pool, and a DHCP server that lets go of a lease while a guest runs that was made for it."""

    def __init__(self, *held: Lease) -> None:
        self._held = {lease.ip: disk(frame(lease)) for lease in held}
        self.guests: dict[str, bytes] = {}
        self.disks: dict[str, bytes] = {}
        self.most = 0

    async def prepare(self) -> None:
        pass

    async def call(self, work: Callable[[Any], Any], **_options: Any) -> Any:
        await asyncio.sleep(0)
        return work(self)

    def storagePoolLookupByName(self, _name: str) -> Host:  # noqa: N802 - libvirt's name
        return self

    networkLookupByName = storagePoolLookupByName  # noqa: N815 - libvirt's name

    def newStream(self, _flags: int) -> Stream:  # noqa: N802 - libvirt's name
        return Stream()

    def createXML(self, xml: str, _flags: int) -> Entry:  # noqa: N802 - libvirt's name
        """Make a disk, or a guest of the disk that has its name."""
        root = etree.fromstring(xml)
        name = str(root.findtext("name"))
        place = self.guests if root.tag == "domain" else self.disks
        assert name not in place
        place[name] = self.disks[name] if root.tag == "domain" else b""
        self.most = max(self.most, len(self.guests))
        return Entry(place, name)

    def listAllDomains(self, _flags: int) -> list[Entry]:  # noqa: N802 - libvirt's name
        return [Entry(self.guests, name) for name in self.guests]

    def listAllVolumes(self) -> list[Entry]:  # noqa: N802 - libvirt's name
        return [Entry(self.disks, name) for name in self.disks]

    def DHCPLeases(self, _mac: str) -> list[dict[str, str]]:  # noqa: N802 - libvirt's name
        told = [{"ipaddr": ip} for ip in self._held]
        sent = [content[142:170] for content in self.guests.values()]
        self._held = {ip: content for ip, content in self._held.items() if content[142:170] not in sent}
        return told


class Stream:
    """What is sent goes to the entry that it was given to."""

    to: Entry

    def send(self, content: bytes) -> None:
        self.to.place[self.to.name()] = content

    def finish(self) -> None:
        pass


@dataclass
class Entry:
    """A disk or a guest, among all of them."""

    place: dict[str, bytes]
    called: str

    def name(self) -> str:
        return self.called

    def path(self) -> str:
        return f"/{self.called}"

    def upload(self, stream: Stream, *_range: int) -> None:
        stream.to = self

    def destroy(self) -> None:
        del self.place[self.called]

    def delete(self, _flags: int) -> None:
        del self.place[self.called]


OF_FIRMWARE = replace(LEASE, ip="192.168.122.78")
ANOTHERS = replace(LEASE, mac="52:54:00:01:02:04", ip="192.168.122.79")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release_guest, "LOOK_EVERY", 0)


async def all_given(host: Host, *leases: Lease) -> list[bool]:
    guests = release_guest.ReleaseGuests(host, host)  # type: ignore[arg-type]
    return await asyncio.gather(*map(guests.give_back, leases))


async def test_two_leases_of_one_mac_are_given_back_one_after_the_other() -> None:
    host = Host(LEASE, OF_FIRMWARE)
    assert await all_given(host, LEASE, OF_FIRMWARE) == [True, True]
    assert (host.most, host.guests, host.disks) == (1, {}, {})


async def test_those_of_several_macs_wait_for_none() -> None:
    host = Host(LEASE, ANOTHERS)
    assert await all_given(host, LEASE, ANOTHERS) == [True, True]
    assert host.most == 2


async def test_what_a_gateway_that_was_killed_left_is_removed() -> None:
    host = Host(LEASE)
    left = "cimi-release-525400010203"
    host.disks[left] = host.guests[left] = b""
    assert await all_given(host, LEASE) == [True]
    assert (host.guests, host.disks) == ({}, {})
