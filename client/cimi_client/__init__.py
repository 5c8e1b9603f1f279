"""A client of CIMI (DMTF DSP0263) providers: asyncio on aiohttp, and a plain synchronous face.

Names are loaded when they are used, so that importing this costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cimi_client.client import Client, Page
    from cimi_client.connection import Exchange, Watcher
    from cimi_client.documents import Resource
    from cimi_client.errors import (
        Ambiguous,
        AnswerLost,
        CimiError,
        Conflict,
        Damaged,
        Denied,
        NotFound,
        NotNow,
        NotOffered,
        ProtocolError,
        Refused,
        ServerAway,
        TooMany,
        Unprotected,
    )
    from cimi_client.jobs import (
        Change,
        Creation,
        Job,
        JobFailed,
        followed,
    )
    from cimi_client.json_types import Document, Json
    from cimi_client.queries import Query, equals, quoted
    from cimi_client.servers import Login, Server
    from cimi_client.stream import POSITION, Message, live
    from cimi_client.sync import SyncClient
    from cimi_client.transfers import download, send_file, upload

__all__ = [
    "POSITION",
    "Ambiguous",
    "AnswerLost",
    "Change",
    "CimiError",
    "Client",
    "Conflict",
    "Creation",
    "Damaged",
    "Denied",
    "Document",
    "Exchange",
    "Job",
    "JobFailed",
    "Json",
    "Login",
    "Message",
    "NotFound",
    "NotNow",
    "NotOffered",
    "Page",
    "ProtocolError",
    "Query",
    "Refused",
    "Resource",
    "Server",
    "ServerAway",
    "SyncClient",
    "TooMany",
    "Unprotected",
    "Watcher",
    "download",
    "equals",
    "followed",
    "live",
    "quoted",
    "send_file",
    "upload",
]

PLACES = {
    "Ambiguous": "cimi_client.errors",
    "AnswerLost": "cimi_client.errors",
    "Change": "cimi_client.jobs",
    "CimiError": "cimi_client.errors",
    "Client": "cimi_client.client",
    "Conflict": "cimi_client.errors",
    "Creation": "cimi_client.jobs",
    "Damaged": "cimi_client.errors",
    "Denied": "cimi_client.errors",
    "Document": "cimi_client.json_types",
    "Exchange": "cimi_client.connection",
    "Job": "cimi_client.jobs",
    "JobFailed": "cimi_client.jobs",
    "Json": "cimi_client.json_types",
    "Login": "cimi_client.servers",
    "Message": "cimi_client.stream",
    "POSITION": "cimi_client.stream",
    "NotFound": "cimi_client.errors",
    "NotNow": "cimi_client.errors",
    "NotOffered": "cimi_client.errors",
    "Page": "cimi_client.client",
    "ProtocolError": "cimi_client.errors",
    "Query": "cimi_client.queries",
    "Refused": "cimi_client.errors",
    "Resource": "cimi_client.documents",
    "Server": "cimi_client.servers",
    "ServerAway": "cimi_client.errors",
    "SyncClient": "cimi_client.sync",
    "TooMany": "cimi_client.errors",
    "Unprotected": "cimi_client.errors",
    "Watcher": "cimi_client.connection",
    "download": "cimi_client.transfers",
    "equals": "cimi_client.queries",
    "followed": "cimi_client.jobs",
    "live": "cimi_client.stream",
    "quoted": "cimi_client.queries",
    "send_file": "cimi_client.transfers",
    "upload": "cimi_client.transfers",
}
"""Name to the module that has it."""


def __getattr__(name: str) -> object:
    """Return a public name of the library. Raises AttributeError."""
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(PLACES[name]), name)
    globals()[name] = value
    return value
