"""The guest that gives a lease back: one sector, which is what its source says, with a right DHCPRELEASE in it."""

from __future__ import annotations

import socket
import struct
import subprocess
from pathlib import Path

import pytest

from drivers.libvirt import leases, release_guest
from drivers.libvirt.leases import Lease, frame
from drivers.libvirt.release_guest import CODE, disk

LEASE = Lease("virbr0", "192.168.122.1", "52:54:00:01:02:03", "192.168.122.77", "default", "52:54:00:aa:bb:cc")


def test_the_code_is_what_its_source_says(tmp_path: Path) -> None:
    source = Path(release_guest.__file__).with_suffix(".s")
    made, linked = tmp_path / "guest.o", tmp_path / "guest.bin"
    subprocess.run(["as", "--32", "-o", made, source], check=True)
    command = ["ld", "-m", "elf_i386", "--oformat", "binary", "-Ttext", "0x7c00", "-o", linked, made]
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
    assert sent[:14].hex() == "525400aabbcc" "525400010203" "0800"


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
