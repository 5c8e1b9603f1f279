"""Seats: a connection to a remote host has one call at a time, since libvirt's client crashes with several."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from drivers.libvirt.lanes import BOUND, CALLS_IN_FLIGHT, Lane, Seat, Seats


@pytest.mark.parametrize("lane", Lane)
def test_calls_to_this_host_share_one_connection_of_a_lane(lane: Lane) -> None:
    seats = Seats(local=True)
    with ExitStack() as stack:
        taken = {stack.enter_context(seats.taken(lane)) for _ in range(seats.number(lane))}
    assert taken == {Seat(lane)}
    assert seats.at_once == CALLS_IN_FLIGHT


@pytest.mark.parametrize("lane", sorted(set(Lane) - BOUND))
def test_calls_to_a_remote_host_at_the_same_time_have_a_connection_each(lane: Lane) -> None:
    seats = Seats(local=False)
    with ExitStack() as stack:
        taken = [stack.enter_context(seats.taken(lane)) for _ in range(seats.number(lane))]
    assert taken == [Seat(lane, number) for number in range(CALLS_IN_FLIGHT)]
    assert seats.at_once == 1


@pytest.mark.parametrize("lane", sorted(BOUND))
def test_calls_that_stand_on_each_other_have_one_connection_and_one_turn(lane: Lane) -> None:
    assert Seats(local=False).number(lane) == 1


def test_the_first_free_seat_is_taken_again_so_that_few_connections_are_made() -> None:
    seats = Seats(local=False)
    with seats.taken(Lane.CONTROL), seats.taken(Lane.CONTROL):
        pass
    with seats.taken(Lane.CONTROL) as seat:
        assert seat == Seat(Lane.CONTROL, 0)


def test_only_first_seats_of_lanes_that_are_not_isolated_are_there_from_the_beginning() -> None:
    assert [lane for lane in Lane if Seat(lane).comes_later] == [Lane.STATISTICS]
    assert all(Seat(lane, 1).comes_later for lane in Lane)
