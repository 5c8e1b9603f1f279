"""What is asked of a collection: filter, order, page, and which attributes (DSP0263 4.1.6)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from cimi_client.errors import CimiError

SAFE = "$=,:/*"


@dataclass(frozen=True, slots=True)
class Query:
    """The query of a collection. Positions are from 1, and inclusive."""

    filters: tuple[str, ...] = ()
    """Filter expressions, all of which must hold."""
    order: tuple[str, ...] = ()
    """Attributes, each perhaps with ``:desc``."""
    select: tuple[str, ...] = ()
    expand: tuple[str, ...] = ()
    first: int | None = None
    last: int | None = None

    def applied_to(self, url: str) -> str:
        """Return the URL with this query, behind that which the provider itself has put there."""
        parameters = [("$filter", expression) for expression in self.filters]
        parameters += [(name, ",".join(values)) for name, values in self._lists() if values]
        parameters += [(name, str(value)) for name, value in self._positions() if value is not None]
        if not parameters:
            return url
        encoded = "&".join(f"{name}={quote(value, safe=SAFE)}" for name, value in parameters)
        return f"{url}{'&' if '?' in url else '?'}{encoded}"

    def _lists(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return ("$orderby", self.order), ("$select", self.select), ("$expand", self.expand)

    def _positions(self) -> tuple[tuple[str, int | None], ...]:
        return ("$first", self.first), ("$last", self.last)


EVERYTHING = Query()


def quoted(value: str) -> str:
    """Return a text as a literal of a filter. Raises CimiError for one that no filter can say."""
    if "\x00" in value:
        raise CimiError("a name has no NUL characters")
    if "'" not in value and "\\" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def equals(attribute: str, value: str) -> str:
    """Return the filter for an attribute with this text."""
    return f"{attribute}={quoted(value)}"
