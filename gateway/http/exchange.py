"""A request of one resource type: what the handlers hand on to each other."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from gateway.cimi.edge import Edge
from gateway.cimi.query import QueryOptions, parse_query
from gateway.cimi.resource_type import ResourceType
from gateway.http.context import Context
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.resource_service import ResourceService


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
