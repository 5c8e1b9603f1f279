"""A request as the handlers see it: what is answered in which form, who asks, with which query, about what."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote_plus

from aiohttp import web

from gateway.cimi.edge import Edge
from gateway.cimi.query import QueryOptions, parse_query
from gateway.cimi.resource_type import ResourceType
from gateway.cimi.xml_text import NOT_XML
from gateway.errors import Invalid, UriTooLong
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.resource_service import ResourceService

READS = ("GET", "HEAD")
LONGEST_URL = 8192
MOST_PARAMETERS = 256
Parameters = tuple[tuple[str, str], ...]
"""Names and values of a query, in its order."""


@dataclass(frozen=True, slots=True)
class Wire:
    """The form in which a request is answered, by an error too: known before anybody knows who asks."""

    request_id: str
    edge: Edge
    media: str
    """``json`` or ``xml``."""
    version: str
    """Version of the standard that the answer is in."""


@dataclass(frozen=True, slots=True)
class Context(Wire):
    """A request as the handlers see it: from whom, and with which query."""

    caller: Caller
    parameters: Parameters = ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request for what stands at ``path``, which is of the ``declared`` type and served by ``service``."""

    request: web.Request
    context: Context
    path: str
    declared: ResourceType
    service: ResourceService

    @property
    def method(self) -> str:
        """Return the method of the request."""
        return self.request.method

    @property
    def kind(self) -> str:
        """Return the name of the declared type."""
        return self.declared.kind

    @property
    def caller(self) -> Caller:
        """Return who asks."""
        return self.context.caller

    @property
    def edge(self) -> Edge:
        """Return how the client sees URIs."""
        return self.context.edge

    @property
    def options(self) -> QueryOptions:
        """Return the options of the query. Raises Invalid for a bad ``$filter``."""
        parameters = self.context.parameters
        return parse_query(parameters, self.declared, self.edge.base) if parameters else QueryOptions()


def parameters(request: web.Request) -> Parameters:
    """Return the query, split at the first '=' only: clients send raw '=' and quotes in filters.

    Raises Invalid for too many parameters and for characters that no document could hold, UriTooLong.
    """
    if len(request.raw_path) > LONGEST_URL:
        raise UriTooLong(f"URLs have at most {LONGEST_URL} characters")
    query = request.rel_url.raw_query_string
    parts = query.split("&") if query else []
    if len(parts) > MOST_PARAMETERS:
        raise Invalid(f"the query has {len(parts)} parameters; at most {MOST_PARAMETERS} are allowed")
    pairs = []
    for part in parts:
        name, _, value = part.partition("=")
        try:
            pairs.append((unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")))
        except UnicodeDecodeError:
            raise Invalid("the query string is not UTF-8") from None
        if NOT_XML.search(pairs[-1][0]) or NOT_XML.search(pairs[-1][1]):
            raise Invalid("holds a control character, which CIMI strings cannot", _shown(pairs[-1][0]))
    return tuple(pairs)


def _shown(name: str) -> str:
    """Return a parameter's name as a message may quote it."""
    return NOT_XML.sub("?", name)[:60]
