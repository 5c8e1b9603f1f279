"""Guesses at passwords, and comparisons that count them and can be held up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from xml.etree import ElementTree

from tests.api.client import Answer, ApiClient
from tests.api.namespaces import NAMESPACE

Client = Callable[..., ApiClient]
PATIENCE = 60.0


class Comparisons:
    """How many passwords were compared; while ``held``, none is answered."""

    def __init__(self) -> None:
        self.number = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.number += 1
        self.may_go_on.wait(PATIENCE)
        return password == b"secret" and b"." * 53 not in hashed


def guess(admin: ApiClient, name: str, password: str = "guessed", media: str = "json") -> ApiClient:
    return ApiClient(admin.session, admin.base, name, media, password)


def return_code(answer: Answer, media: str) -> int:
    if media == "json":
        return int(answer.json["returnCode"])
    return int(ElementTree.fromstring(answer.text).findtext(f"{NAMESPACE}returnCode") or 0)


# How many guesses there are
