"""The catalogue of images: well-known ones that the gateway fetches when somebody wants them, in a TOML file."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.config.reader import ConfigError, read_table

NAME = re.compile(r"[a-z0-9][a-z0-9.:_-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """An image of the catalogue. ``least_disk`` is in kilobytes, ``least_memory`` in kibibytes.

    ``location`` is a URL, or the name of a file in one of the directories that images may come from. ``checksums`` is
    the URL of the file with the sums of its provider, in which the last part of ``location`` stands. ``user`` is who
    may log in by the Credential that a new Machine gets.
    """

    name: str
    location: str
    description: str = ""
    checksums: str = ""
    firmware: Literal["", "bios", "uefi"] = ""
    user: str = ""
    arch: str = ""
    least_disk: int = 0
    least_memory: int = 0

    @property
    def key(self) -> str:
        """Return the name as it stands in a URL."""
        return self.name.replace(":", "-")

    @property
    def is_file(self) -> bool:
        """Return whether the image is a file of this host."""
        return "://" not in self.location


def read_catalog(path: Path) -> tuple[CatalogEntry, ...]:
    """Return the images of a catalogue file. Raises ConfigError for the first mistake."""
    try:
        document = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None
    tables = document.pop("image", [])
    if document or not isinstance(tables, list):
        raise ConfigError(f"{path}: a catalogue has [[image]] and nothing else")
    entries = tuple(read_table(path, "[[image]]", CatalogEntry, table) for table in tables)
    for entry in entries:
        _check(path, entry)
    keys = [entry.key for entry in entries]
    doubled = next((entry.name for entry in entries if keys.count(entry.key) > 1), None)
    if doubled is not None:
        raise ConfigError(f"{path}: [[image]] name: {doubled!r} stands twice")
    return entries


def _check(path: Path, entry: CatalogEntry) -> None:
    where = f"{path}: [[image]] {entry.name[:60]!r}"
    if NAME.fullmatch(entry.name) is None:
        raise ConfigError(f"{where}: name: small letters, digits and . : _ - are allowed, as in debian:13")
    if entry.is_file and (not entry.location or "/" in entry.location or entry.location.startswith(".")):
        raise ConfigError(f"{where}: location: must be a URL, or the name of a file in one of [images] directories")
    if not entry.is_file and not entry.location.startswith(("http://", "https://")):
        raise ConfigError(f"{where}: location: must begin with https:// or http://")
    if entry.checksums and not entry.checksums.startswith(("http://", "https://")):
        raise ConfigError(f"{where}: checksums: must begin with https:// or http://")
    if entry.location.startswith("http://") and not entry.checksums:
        raise ConfigError(f"{where}: checksums: an image that comes by http:// needs them, from another place")
    for key in ("least_disk", "least_memory"):
        if getattr(entry, key) < 0:
            raise ConfigError(f"{where}: {key}: must be at least 0")
