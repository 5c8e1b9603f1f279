"""The ranges and MAC addresses that imports under way are going to ask for: nobody else gets them meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Promises:
    """The promised ranges and MAC addresses of each import, by its Job. They are kept in memory only."""

    def __init__(self) -> None:
        self._values: dict[str, set[str]] = {}

    def add(self, job: str, values: Iterable[str]) -> None:
        """Promise ranges and MAC addresses to a Job, beside those that it has been promised already."""
        self._values.setdefault(job, set()).update(values)

    def renew(self, job: str, values: Iterable[str]) -> None:
        """Promise ranges and MAC addresses to a Job, in place of those that it has been promised before."""
        self._values[job] = set(values)

    def drop(self, job: str) -> None:
        """Forget all that a Job has been promised; a Job without promises is no error."""
        self._values.pop(job, None)

    def ranges(self) -> Iterator[str]:
        """Yield the ranges that any Job has been promised, as ``address/prefix length``."""
        return (value for values in self._values.values() for value in values if "/" in value)

    def of_others(self, job: str) -> set[str]:
        """Return the ranges and MAC addresses that any other Job has been promised."""
        return {value for other, values in self._values.items() for value in values if other != job}
