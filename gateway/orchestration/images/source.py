"""Image files that may be imported: only below the configured directories, however they are named."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.exports import Exports
from gateway.orchestration.common.room import ImageTools

WHERE = "imageLocation"


def is_url(location: str) -> bool:
    """Return whether another server is to be asked for what a location means."""
    scheme, colon, _rest = location.partition("://")
    return bool(colon) and scheme.lower() != "file"


def without_query(location: str) -> str:
    """Return the location as people may see it: without the query of a URL, which often holds a secret."""
    return location.partition("?")[0] if is_url(location) else location


def local_file(tools: ImageTools, caller: Caller, location: str, where: str = WHERE) -> Path:
    """Return the file that a location means. Raise Invalid, naming ``where``, for every way out of the directories.

    The answer for another user's export is the same as for what is not there.
    """
    directories = tools.directories
    path = Path(_path_of(location, where))
    if not path.is_absolute() or ".." in path.parts or "\0" in str(path):
        raise Invalid("must be an absolute path without '..'", where)
    try:
        real = path.resolve(strict=True)
        allowed = any(real.is_relative_to(Path(directory).resolve()) for directory in directories)
        regular = real.is_file() and Exports(tools.export_directories).readable(caller, real, directories)
    except (OSError, RuntimeError):
        allowed, regular = _below(path, directories), False
    if not allowed:
        raise Invalid("is not below a directory that images may come from ([images] directories)", where)
    if not regular:
        raise Invalid(f"{path.name} is no file that can be read", where)
    if not os.access(real, os.R_OK):
        raise Invalid(f"the gateway may not read {path.name}", where)
    return real


def _path_of(location: str, where: str) -> str:
    parts = urlsplit(location)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        raise Invalid(f"the scheme {parts.scheme[:20]!r} is not accepted; use http, https or file:///path", where)
    return unquote(parts.path) if parts.scheme else location


def _below(path: Path, directories: tuple[str, ...]) -> bool:
    return any(Path(os.path.normpath(path)).is_relative_to(directory) for directory in directories)
