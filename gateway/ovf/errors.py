"""Errors that say what is wrong with a package, for the person who brought it."""

from __future__ import annotations

from gateway.errors import Invalid


class PackageInvalid(Invalid):
    """The package, named by the ``source`` of an import, cannot be used; the message says which part of it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "source")
        self.words = message


class PackageReaderDied(PackageInvalid):
    """The death of the process that read a part of the package: it cost more time or memory than it may."""
