"""The memory of answers: what a commit touches is forgotten, and what is kept is within bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http import remembered
from gateway.http.remembered import Key, Memory, Remembered

ADMIN = ("", "admin", False)


def key(target: str, query: object = "") -> Key:
    return Key(target, ADMIN, "json", "http://here/cimi/", query)


def answer(body: bytes = b"{}", *places: str) -> Remembered:
    return Remembered('"tag"', tuple(places), (1, len(body)), body)


def kept(memory: Memory, target: str, *places: str) -> Key:
    asked = key(target)
    memory.keep(asked, answer(target.encode(), *(places or (target,))), memory.commits)
    return asked


def test_an_answer_is_remembered_by_the_whole_question() -> None:
    memory = Memory()
    asked = kept(memory, "machines/1")
    others = (
        asked._replace(target="machines/2"),
        asked._replace(rights=("operator", "operator", False)),
        asked._replace(media="xml"),
        asked._replace(base="http://there/cimi/"),
        asked._replace(query=(("$select", "name"),)),
    )
    assert memory.get(asked) is not None
    assert [memory.get(other) for other in others] == [None] * 5


@pytest.mark.parametrize(
    ("place", "changed"),
    [
        ("machines/1", "machines/1"),
        ("machines", "machines/1"),
        ("machines/1/disks", "machines/1/disks/vda"),
        ("cloudEntryPoint", "cloudEntryPoint"),
    ],
)
def test_an_answer_is_forgotten_when_a_resource_or_a_collection_that_it_stands_on_changes(
    place: str, changed: str
) -> None:
    memory = Memory()
    asked = kept(memory, "something", "elsewhere/1", place)
    memory.changed({changed: None})
    assert memory.get(asked) is None


@pytest.mark.parametrize("changed", ["machines/2", "volumes/1", "machines/1/disks/vda", "disks/vda"])
def test_an_answer_stays_when_something_else_changes(changed: str) -> None:
    memory = Memory()
    asked = kept(memory, "machines/1")
    memory.changed({changed: None})
    assert memory.get(asked) is not None


def test_what_was_read_before_a_change_is_not_kept_after_it() -> None:
    memory = Memory()
    since = memory.commits
    memory.changed({"machines/1": None})
    memory.keep(key("machines/1"), answer(b"old", "machines/1"), since)
    assert memory.get(key("machines/1")) is None


def test_what_another_change_came_in_between_of_is_kept() -> None:
    memory = Memory()
    since = memory.commits
    memory.changed({"machines/2": None})
    memory.keep(key("machines/1"), answer(b"still so", "machines/1"), since)
    assert memory.get(key("machines/1")) is not None


def test_an_answer_that_took_longer_than_commits_are_known_is_not_kept() -> None:
    memory = Memory()
    for _ in range(remembered.COMMITS + 1):
        memory.changed({"jobs/1": None})
    memory.keep(key("machines/1"), answer(b"so long ago", "machines/1"), 0)
    assert memory.get(key("machines/1")) is None


def test_commits_that_change_no_resource_are_none_of_these() -> None:
    memory = Memory()
    for _ in range(remembered.COMMITS + 1):
        memory.changed({})
    memory.keep(key("machines/1"), answer(b"nothing happened", "machines/1"), 0)
    assert memory.get(key("machines/1")) is not None


def test_an_answer_too_large_is_not_kept() -> None:
    memory = Memory()
    memory.keep(key("machines"), answer(b"x" * (remembered.LARGEST + 1), "machines"), 0)
    assert memory.get(key("machines")) is None


def bodies(count: int) -> list[bytes]:
    return [b"%d is one of many that are much alike. " % number * 20 for number in range(count)]


def test_small_answers_are_packed_when_there_are_many_and_come_back_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remembered, "MOST_PLAIN", 4000)
    memory = Memory()
    for number, body in enumerate(bodies(100)):
        memory.keep(key(f"machines/{number}"), answer(body, f"machines/{number}"), 0)
    assert memory._plain <= 4000
    assert sum(len(entry.packed or b"") for entry in memory._answers.values()) < 100 * 200
    for number, body in [*enumerate(bodies(100)), *enumerate(bodies(100))]:
        found = memory.get(key(f"machines/{number}"))
        assert found is not None
        assert found.body == body


def test_large_answers_are_forgotten_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST_PLAIN", 50_000)
    memory = Memory()
    for number in range(4):
        memory.keep(key(f"machines?{number}"), answer(b"x" * 20_000, "machines"), 0)
    assert [memory.get(key(f"machines?{number}")) is not None for number in range(4)] == [False, False, True, True]


def test_those_nobody_asked_for_longest_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST_ENTRIES", 2)
    memory = Memory()
    first, second = kept(memory, "machines/1"), kept(memory, "machines/2")
    memory.get(first)
    third = kept(memory, "machines/3")
    assert [memory.get(asked) is not None for asked in (first, second, third)] == [True, False, True]


PLACES = st.sampled_from(["machines", "machines/1", "machines/2", "machines/1/disks", "volumes/1"])
CHANGES = st.sampled_from(["machines/1", "machines/2", "machines/1/disks/vda", "volumes/1", "jobs/1"])
DEEDS = st.lists(
    st.tuples(st.just("keep"), st.integers(0, 5), st.frozensets(PLACES, min_size=1), st.integers(0, 6))
    | st.tuples(st.just("change"), st.frozensets(CHANGES, min_size=1, max_size=2)),
    max_size=40,
)


@given(DEEDS)
def test_nothing_is_remembered_whose_places_were_touched_since_its_request_began(
    deeds: list[tuple[object, ...]],
) -> None:
    memory = Memory()
    history: list[set[str]] = []
    made: dict[int, tuple[Remembered, int]] = {}
    for deed in deeds:
        if deed[0] == "change":
            changed = deed[1]
            assert isinstance(changed, frozenset)
            memory.changed(dict.fromkeys(changed))
            history.append({place for path in changed for place in (path, path.rpartition("/")[0])})
        else:
            _, number, places, ago = deed
            assert isinstance(number, int) and isinstance(places, frozenset) and isinstance(ago, int)
            since = max(0, memory.commits - ago)
            one = answer(b"%d" % len(made), *places)
            memory.keep(key(str(number)), one, since)
            made[id(one)] = (one, since)
    for number in range(6):
        found = memory.get(key(str(number)))
        if found is not None:
            _, since = made[id(found)]
            assert all(touched.isdisjoint(found.places) for touched in history[since:])
    held = {place for entry in memory._answers.values() for place in entry.places}
    assert set(memory._standing) == held
