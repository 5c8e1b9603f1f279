"""Who may connect, and how many: counted by address, and by network for IPv6."""

from __future__ import annotations

import errno
import os
import resource
import socket

import pytest
from structlog.testing import capture_logs

from gateway.http import admission as module
from gateway.http.admission import RESERVED, Admission, Limits, Listener
from gateway.http.door import HEADROOM, possible
from gateway.http.sparing import SparingLog


def admitted(admission: Admission, *addresses: str) -> list[bool]:
    return [admission.admit(address) for address in addresses]


def test_addresses_are_limited_one_by_one() -> None:
    admission = Admission(Limits(100, 2))
    assert admitted(admission, *["192.0.2.1"] * 3, "192.0.2.2") == [True, True, False, True]


def test_all_addresses_of_an_ipv6_network_of_64_bits_are_one() -> None:
    admission = Admission(Limits(100, 2))
    assert admitted(admission, "2001:db8::1", "2001:db8::2", "2001:db8::3") == [True, True, False]
    assert admission.admit("2001:db8:0:1::1")


def test_a_link_local_address_counts_without_the_name_of_its_interface() -> None:
    admission = Admission(Limits(100, 2))
    assert admitted(admission, "fe80::1", "fe80::2%eth0", "fe80::3%eth1") == [True, True, False]


def test_an_ipv4_address_in_ipv6_notation_is_that_address() -> None:
    admission = Admission(Limits(100, 2))
    assert admitted(admission, "192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.1") == [True, True, False]
    assert admitted(admission, *["::ffff:127.0.0.1"] * 5) == [True] * 5


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3"])
def test_the_host_itself_and_trusted_proxies_are_limited_by_the_overall_number_alone(address: str) -> None:
    admission = Admission(Limits(40, 2), ["10.0.0.0/8"])
    assert admitted(admission, *[address] * 41) == [True] * 40 + [False]


def test_some_places_are_kept_for_the_host_itself() -> None:
    admission = Admission(Limits(40, 100))
    assert admitted(admission, *["192.0.2.1"] * 41).count(True) == 40 - RESERVED
    assert admission.admit("127.0.0.1")


def test_who_leaves_gives_the_place_back() -> None:
    admission = Admission(Limits(100, 1))
    assert admitted(admission, "192.0.2.1", "192.0.2.1") == [True, False]
    admission.leave("192.0.2.1")
    assert admission.admit("192.0.2.1")
    assert (admission.open, admission.refused) == (1, 1)


def test_what_is_no_address_is_limited_too() -> None:
    admission = Admission(Limits(100, 1))
    assert admitted(admission, "", "") == [True, False]


def test_there_are_never_more_connections_than_file_descriptors() -> None:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    with capture_logs() as told:
        assert possible(Limits(descriptors, 5)) == Limits(descriptors - HEADROOM, 5)
    assert [line["event"] for line in told] == ["fewer connections than configured"]
    assert possible(Limits(40, 5)) == Limits(40, 5)


def test_of_a_flood_of_lines_few_are_written_and_the_others_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("gateway.http.sparing.time.monotonic", lambda: now[0])
    sparing = SparingLog(most=3)
    with capture_logs() as told:
        for _ in range(10):
            sparing.warning("a", address="x")
        sparing.warning("b")
        now[0] = 61.0
        sparing.warning("a", address="y")
    assert [line["event"] for line in told] == ["a", "a", "a", "b", "a"]
    assert told[-1]["left_out"] == 7


def test_a_spare_descriptor_that_could_not_be_opened_again_is_opened_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listener, admission = Listener(), Admission(Limits())
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.setblocking(False)
    listener.guard(admission)

    def none_left() -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as once:
        once.setattr(module, "_spare", none_left)
        listener._refuse_with_the_spare()
        with pytest.raises(BlockingIOError):
            listener._refuse_with_the_spare()
    with socket.create_connection(listener.getsockname()), listener:
        listener._refuse_with_the_spare()
        assert admission.refused == 1
        assert listener._spare is not None
