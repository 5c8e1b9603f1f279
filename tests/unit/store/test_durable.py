"""What is kept of resources and plans is typed, and JSON of earlier versions is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from gateway.errors import Conflict
from gateway.store.durable import Hosted, Kept, Secret, Unreadable, from_document, keyed, readable, to_document
from gateway.store.model import Resource
from gateway.store.sealing import UNOPENED

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Wheel:
    size: int
    kind: str | None = keyed("class", default=None)


@dataclass(frozen=True)
class KeptCart(Kept):
    wheels: tuple[Wheel, ...] = ()
    password: Secret | None = None
    covered: bool = False


def cart(**internal: object) -> Resource:
    return Resource("carts/1", "Cart", "me", {}, NOW, NOW, internal=internal)


def test_what_has_its_default_is_not_written() -> None:
    assert to_document(KeptCart((Wheel(3),))) == {"wheels": [{"size": 3}]}


def test_what_is_written_is_read_again() -> None:
    kept = KeptCart((Wheel(3, "iron"), Wheel(4)), "secret", covered=True)
    assert from_document(to_document(kept), KeptCart) == kept


def test_a_key_that_is_no_name_in_python_has_a_field() -> None:
    assert to_document(Wheel(3, "iron")) == {"size": 3, "class": "iron"}


def test_a_key_of_another_version_is_passed_over() -> None:
    assert KeptCart.of(cart(wings=2)) == KeptCart()


def test_facts_of_other_classes_stay() -> None:
    changed = KeptCart.changed(cart(host="local", covered=True), covered=False)
    assert (changed.internal, Hosted.of(changed).host) == ({"host": "local"}, "local")


def test_a_secret_that_could_not_be_opened_stays_as_it_is() -> None:
    sealed = {"sealed": f"{UNOPENED}v1.0011223344556677.abc"}
    kept = KeptCart.of(cart(password=sealed))
    assert kept.password == Unreadable(sealed)
    assert to_document(kept) == {"password": sealed}


def test_a_secret_that_could_not_be_opened_is_refused_with_words() -> None:
    with pytest.raises(Conflict, match="machines/1 has a secret that cannot be read"):
        readable(Unreadable({"sealed": "v1.0011223344556677.abc"}), "machines/1")
