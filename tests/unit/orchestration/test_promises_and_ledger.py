"""The room's memory of what imports were promised, and of what Volumes have taken of their pools."""

from __future__ import annotations

from gateway.orchestration.common.room import Ledger, Promises

MAC = "52:54:00:00:00:01"
RANGE = "10.1.0.0/24"
POOL = ("local", "default")


def test_a_promise_to_one_import_is_in_the_way_of_all_others_and_not_in_its_own() -> None:
    promises = Promises()
    promises.add("jobs/1", (MAC,))
    promises.add("jobs/1", (RANGE,))
    assert promises.of_others("jobs/2") == {MAC, RANGE}
    assert promises.of_others("jobs/1") == set()
    assert list(promises.ranges()) == [RANGE]


def test_a_renewed_promise_takes_the_place_of_the_former_and_a_dropped_one_is_gone() -> None:
    promises = Promises()
    promises.add("jobs/1", (RANGE,))
    promises.renew("jobs/1", (MAC,))
    assert promises.of_others("jobs/2") == {MAC}
    promises.drop("jobs/1")
    promises.drop("jobs/1")
    assert promises.of_others("jobs/2") == set()


def test_the_ledger_adds_up_what_the_volumes_of_one_pool_have_taken() -> None:
    ledger = Ledger()
    ledger.enter(POOL, "a", 5)
    ledger.enter(POOL, "b", 7)
    ledger.enter(("local", "other"), "c", 100)
    assert ledger.taken(POOL) == 12
    ledger.strike(POOL, "a")
    ledger.strike(POOL, "a")
    assert ledger.taken(POOL) == 7
    ledger.renew(POOL, {"d": 3})
    assert ledger.taken(POOL) == 3
    assert ledger.taken(("away", "default")) == 0
