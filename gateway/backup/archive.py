"""A backup as a file: a compressed tar archive with a manifest first, which has the checksum of each file behind it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

import cattrs

from gateway.backup.errors import BackupError
from gateway.backup.sealing import MAGIC, SealedReader, SealedWriter

MANIFEST = "manifest.json"
FORMAT = 1
LONGEST_MANIFEST = 1024**2
PIECE = 1024**2
QUICK = 3
"""The level of compression: higher ones take three times as long for a tenth less."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a backup; ``mode`` is as it was, ``size`` in bytes."""

    name: str
    mode: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The beginning of a backup: when it was made, by which version, of which version of the store."""

    format: int
    made: str
    gateway: str
    store_version: int
    files: tuple[Entry, ...]


def entry_of(name: str, path: Path) -> Entry:
    """Return the entry of a file as it is now."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return Entry(name, path.stat().st_mode & 0o777, path.stat().st_size, digest.hexdigest())


def write(target: IO[bytes], manifest: Manifest, files: dict[str, Path], passphrase: str | None) -> None:
    """Write a backup of the files, which are as the manifest says."""
    sealed = SealedWriter(target, passphrase) if passphrase is not None else None
    below = cast(IO[bytes], sealed or target)
    with (
        gzip.GzipFile("", "wb", QUICK, below) as compressed,
        tarfile.open(fileobj=cast(IO[bytes], compressed), mode="w|") as archive,
    ):
        text = json.dumps(asdict(manifest)).encode()
        archive.addfile(_header(MANIFEST, len(text)), io.BytesIO(text))
        for entry in manifest.files:
            with files[entry.name].open("rb") as content:
                archive.addfile(_header(entry.name, entry.size), content)
    if sealed is not None:
        sealed.close()


def _header(name: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o600
    return header


@contextmanager
def opened(path: Path, passphrase: str | None) -> Iterator[Reading]:
    """Read a backup while the block runs. Raises BackupError for what is none, or is damaged."""
    try:
        with path.open("rb") as file:
            source: Any = file
            if file.read(len(MAGIC)) == MAGIC:
                if passphrase is None:
                    raise BackupError(f"{path} is sealed: give its passphrase with --passphrase-file")
                source = SealedReader(file, passphrase)
            else:
                file.seek(0)
            with tarfile.open(fileobj=source, mode="r|gz") as archive:
                yield Reading(archive)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BackupError(f"{path} cannot be read as a backup: {error}") from None


class Reading:
    """A backup that is read from its beginning to its end."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self.manifest = self._manifest()

    def _manifest(self) -> Manifest:
        header = self._archive.next()
        if header is None or header.name != MANIFEST or header.size > LONGEST_MANIFEST:
            raise BackupError("the file is no backup of cimi-gateway")
        content = self._archive.extractfile(header)
        assert content is not None
        try:
            document = json.loads(content.read())
            if document["format"] != FORMAT:
                raise BackupError(f"the backup has format {document['format']}: a newer cimi-gateway made it")
            return cattrs.structure(document, Manifest)
        except (ValueError, KeyError, TypeError, cattrs.BaseValidationError):
            raise BackupError("the backup's manifest is damaged") from None

    def put_into(self, directory: Path) -> dict[str, Path]:
        """Write all files into a directory that is empty, and return them by name; checksums are as the manifest says.

        Raises BackupError where they are not. Nothing of the names is used as a path but what the manifest has.
        """
        made = {}
        for number, entry in enumerate(self.manifest.files):
            header = self._archive.next()
            content = self._archive.extractfile(header) if header is not None and header.isreg() else None
            if header is None or content is None or (header.name, header.size) != (entry.name, entry.size):
                raise BackupError(f"the backup is cut off or changed: {entry.name} is not where it should be")
            made[entry.name] = directory / str(number)
            with made[entry.name].open("xb") as file:
                while piece := content.read(PIECE):
                    file.write(piece)
            if entry_of(entry.name, made[entry.name]).sha256 != entry.sha256:
                raise BackupError(f"the backup is damaged: {entry.name} has another checksum than it was made with")
        return made
