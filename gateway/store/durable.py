"""Durable data as typed values: one converter between frozen dataclasses and the JSON of the store.

It is lenient where a store of an earlier version is read: an absent key has its default, and a key that this version
does not have is passed over. It is frugal where it writes: what has its default is not written.

So a step keeps its arguments, and a resource its facts: in subclasses of ``Kept``. Several of these may look at one
resource, each at the facts that are its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from functools import partial
from typing import Any, Self, TypeVar, get_args

from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from gateway.errors import Conflict
from gateway.store.model import Document, Resource
from gateway.store.sealing import holds_sealed

T = TypeVar("T")
KEY = "key"
ADVICE = "set it anew, or give the gateway its former key back ([store] former_keys)"


def keyed(key: str, *, default: Any) -> Any:
    """Return the field of a dataclass whose key in JSON is no name that Python allows, such as ``class``."""
    return field(default=default, metadata={KEY: key})


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A secret that the store could not open: its key is another one than the secret was sealed with."""

    sealed: Document


Secret = str | Unreadable
"""A secret as the store gives it."""


def readable(secret: Secret, what: str) -> str:
    """Return the secret in plain. Raises Conflict, naming what it belongs to, when the store could not open it."""
    if isinstance(secret, Unreadable):
        raise unreadable(what)
    return secret


def demand_readable(value: Any, what: str) -> None:
    """Raise Conflict when a secret stands anywhere in the value that the store could not open."""
    if holds_sealed(value):
        raise unreadable(what)


def unreadable(what: str) -> Conflict:
    """Return the refusal of what needs a secret that the store could not open: everything else goes on without it."""
    return Conflict(f"{what} has a secret that cannot be read: the store's key was another one; {ADVICE}")


def _is_secret(kind: Any) -> bool:
    return kind in (Secret, Secret | None, Secret | bool | None)


def _secret_of(value: Any, _kind: Any) -> Secret | bool | None:
    return Unreadable(value) if holds_sealed(value) else value


def _as_kept(secret: Secret | bool | None) -> Any:
    return secret.sealed if isinstance(secret, Unreadable) else secret


def _is_name_or_place(kind: Any) -> bool:
    return bool(kind == str | int)


def _name_or_place(value: Any, _kind: Any) -> str | int:
    """Return a step of a way through a document as JSON has it: the name of an attribute, or a place in a list."""
    return value if isinstance(value, int) else str(value)


def key_of(entry: Field[Any]) -> str:
    """Return the key in JSON of a dataclass's field."""
    return str(entry.metadata.get(KEY, entry.name))


def keys_of(kind: type[Any]) -> frozenset[str]:
    """Return the keys in JSON of all fields of a dataclass."""
    return frozenset(key_of(entry) for entry in fields(kind))


def _overrides(kind: Any) -> dict[str, Any]:
    return {entry.name: override(rename=key_of(entry)) for entry in fields(kind) if key_of(entry) != entry.name}


def _converter() -> Converter:
    converter = Converter(detailed_validation=False)

    def writer(kind: Any) -> Callable[[Any], Document]:
        rest: dict[str, Any] = {"_cattrs_omit_if_default": True, **_overrides(kind)}
        return make_dict_unstructure_fn(kind, converter, **rest)

    def reader(kind: Any) -> Callable[[Document, Any], Any]:
        return make_dict_structure_fn(kind, converter, **_overrides(kind))

    converter.register_unstructure_hook_factory(is_dataclass, writer)
    converter.register_structure_hook_factory(is_dataclass, reader)
    converter.register_structure_hook_func(_is_secret, _secret_of)
    converter.register_unstructure_hook_func(_is_secret, _as_kept)
    converter.register_structure_hook_func(_is_name_or_place, _name_or_place)
    return converter


CONVERTER = _converter()


to_document: Callable[[object], Document] = CONVERTER.unstructure
"""Return the JSON of a frozen dataclass."""
from_document = CONVERTER.structure
"""Return the value of a kind, the second argument, whose JSON the first one is.

Raises cattrs' errors for what is no such JSON.
"""


def tell_apart(union: Any, tag: str) -> None:
    """Have the dataclasses of a union told apart in JSON by one key: each has its value as a class attribute.

    The key stands beside those of the dataclass's fields. The union may stand in a field that may be None.
    """
    kinds: dict[str, type[Any]] = {str(getattr(kind, tag)): kind for kind in get_args(union)}

    def read(document: Document | None, _kind: Any) -> Any:
        return from_document(document, kinds[document[tag]]) if document is not None else None

    def write(value: Any) -> Document | None:
        return {tag: str(getattr(value, tag)), **to_document(value)} if value is not None else None

    for kind in (union, union | None):
        CONVERTER.register_structure_hook_func(partial(_is_same, kind), read)
        CONVERTER.register_unstructure_hook_func(partial(_is_same, kind), write)


def _is_same(one: Any, other: Any) -> bool:
    return bool(one == other)


@dataclass(frozen=True)
class Kept:
    """Facts of one resource beside its document, which never leave the process: where it lives, its parts.

    ``KeptMachine.of(machine).disks`` and ``Hosted.of(machine).host`` read them; ``on`` writes those of one class back,
    and leaves those of the others.
    """

    @classmethod
    def of(cls, resource: Resource) -> Self:
        """Return the facts as the store has them."""
        return from_document(resource.internal, cls)

    def on(self, resource: Resource) -> Resource:
        """Return the resource with these facts in place of its former ones."""
        own = keys_of(type(self))
        others = {key: value for key, value in resource.internal.items() if key not in own}
        return replace(resource, internal={**others, **to_document(self)})

    @classmethod
    def changed(cls, resource: Resource, **facts: Any) -> Resource:
        """Return the resource with some facts of this class changed."""
        return replace(cls.of(resource), **facts).on(resource)


@dataclass(frozen=True)
class Hosted(Kept):
    """The place where a resource lives."""

    host: str | None = None
    """Name of the hypervisor's entry in the configuration; None for what is on no host, or on all."""
