"""Builders of mutations: what a proxy changes in the requests and answers of a gateway."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.conformance.proxy import Answered, Asked, Document

Change = Callable[[Document], Any]


def each(change: Change) -> Callable[[Asked, Answered], None]:
    """Change the root of each JSON answer, and each item of a collection."""

    def mutate(_asked: Asked, answered: Answered) -> None:
        document = answered.document
        if document is None or answered.status >= 400:
            return
        for value in document.values():
            for item in value if isinstance(value, list) else []:
                if isinstance(item, dict) and "resourceURI" in item:
                    change(item)
        change(document)
        answered.say(document)

    return mutate


def only(kind: str, change: Change) -> Callable[[Asked, Answered], None]:
    """Change what is of one type, as ``each`` does."""

    def mutate(document: Document) -> None:
        if str(document.get("resourceURI", "")).endswith(f"/{kind}"):
            change(document)

    return each(mutate)


def text(old: str, new: str, *, everywhere: bool = True) -> Callable[[Asked, Answered], None]:
    """Replace text in bodies that are well."""

    def mutate(_asked: Asked, answered: Answered) -> None:
        if answered.status < 400:
            answered.body = answered.body.replace(old.encode(), new.encode(), -1 if everywhere else 1)

    return mutate


def header(name: str, value: str | None = None, *, method: str = "") -> Callable[[Asked, Answered], None]:
    def mutate(asked: Asked, answered: Answered) -> None:
        if method in ("", asked.method) and name in answered.headers:
            answered.drop(name)
            if value is not None:
                answered.headers[name] = value

    return mutate


def without(*names: str, method: str = "GET") -> Callable[[Asked], None]:
    """A server that does not know these query parameters."""

    def mutate(asked: Asked) -> None:
        if asked.method == method:
            asked.drop(*names)

    return mutate


def unseen(*names: str) -> Callable[[Asked], None]:
    """A server that does not see these members of a body."""

    def prune(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: prune(inner) for name, inner in value.items() if name not in names}
        return value

    def mutate(asked: Asked) -> None:
        if asked.body.startswith(b"{") and asked.method in ("POST", "PUT"):
            try:
                asked.body = json.dumps(prune(json.loads(asked.body))).encode()
            except ValueError:
                return

    return mutate


def without_header(name: str) -> Callable[[Asked], None]:
    def remove(asked: Asked) -> None:
        asked.headers.pop(name, None)

    return remove
