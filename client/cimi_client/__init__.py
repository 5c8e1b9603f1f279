"""A client of CIMI (DMTF DSP0263) providers: asyncio on aiohttp, and a plain synchronous face."""

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
    NotOffered,
    ProtocolError,
    Refused,
    ServerAway,
    TooMany,
    Unprotected,
)
from cimi_client.jobs import Change, Creation, Job, JobFailed, followed
from cimi_client.json_types import Document, Json
from cimi_client.queries import Query, equals, quoted
from cimi_client.servers import Login, Server
from cimi_client.stream import Message, live
from cimi_client.sync import SyncClient
from cimi_client.transfers import download, send_file, upload

__all__ = [
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
