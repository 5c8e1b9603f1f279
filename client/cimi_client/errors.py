"""What can go wrong between a client and a provider. The message says what, where, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cimi_client.json_types import Json

EMPTY: Mapping[str, Json] = {}


class CimiError(Exception):
    """An error of this library; its text is for people."""


class ServerAway(CimiError):
    """A provider that cannot be reached, or that says of itself that it cannot answer now."""


class AnswerLost(ServerAway):
    """A connection that broke after a change was asked for: nobody knows whether it was made."""


class Unprotected(CimiError):
    """A password or token that would go over a network in the clear, or to another server than the one named."""


class ProtocolError(CimiError):
    """An answer that is not CIMI."""


class NotOffered(CimiError):
    """A collection, an operation or an extension that this provider does not have, or not now."""


class NotNow(NotOffered):
    """An operation that the resource does not offer in the state that it has."""


class Damaged(CimiError):
    """Bytes that are not those which were sent."""


class Ambiguous(CimiError):
    """A name that several resources have; ``ids`` are theirs."""

    def __init__(self, message: str, ids: Sequence[str]) -> None:
        super().__init__(message)
        self.ids = tuple(ids)


class Refused(CimiError):
    """A request that the provider refused, with the status and the document of its answer."""

    def __init__(self, message: str, status: int, url: str, document: Mapping[str, Json] = EMPTY) -> None:
        super().__init__(message)
        self.status = status
        self.url = url
        self.document = document


class Denied(Refused):
    """A request without the right credentials (401), or without the right to what it asks for (403)."""


class NotFound(Refused):
    """A resource that is not there, or not any more (404, 410)."""


class Conflict(Refused):
    """A request that does not fit the state of its resource (409), or to one that changed since it was read (412)."""


class TooMany(Refused):
    """A request too many (429); it may be made again after ``retry_after`` seconds."""

    def __init__(
        self, message: str, status: int, url: str, document: Mapping[str, Json] = EMPTY, retry_after: float = 1.0
    ) -> None:
        super().__init__(message, status, url, document)
        self.retry_after = retry_after


BY_STATUS: Mapping[int, type[Refused]] = {
    401: Denied,
    403: Denied,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    412: Conflict,
    429: TooMany,
}
AWAY: Mapping[int, type[ServerAway]] = {502: AnswerLost, 503: ServerAway, 504: AnswerLost}
"""Statuses of a provider that cannot answer now; what stands in front of it may have passed the request on."""
