"""What the client's tests share: a client for whom they say, and the document of a small Machine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from cimi_client import Client, Document

Opener = Callable[..., AbstractAsyncContextManager[Client]]


def machine_document(image: str, name: str = "web1", **properties: str) -> Document:
    config: Document = {"cpu": 1, "memory": 131072}
    template: Document = {"initialState": "STOPPED", "machineConfig": config, "machineImage": {"href": image}}
    return {"name": name, "properties": properties, "machineTemplate": template}
