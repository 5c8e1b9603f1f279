"""The tools that images and file systems are made with, wired from outside, and where files are put meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import Converter, Fetcher, FileSystemMaker, ImageReader
from gateway.orchestration.common.staging import Staging
from gateway.ovf.package import PLAIN, PackageReader


@dataclass(frozen=True, slots=True)
class ImageTools:
    """The tools for images, file systems and packages, the staging directory, and their limits.

    ``directories`` are those that files may be imported from, ``export_directories`` those that packages go to;
    ``largest_file`` is in bytes.
    ``stall_seconds`` without a byte end an upload; ``upload_minutes`` after its last byte it is given up.
    ``waiting_uploads`` is how many a user may leave waiting.
    """

    reader: ImageReader
    fetcher: Fetcher
    converter: Converter
    file_systems: FileSystemMaker
    staging: Staging
    directories: tuple[str, ...] = ()
    export_directories: tuple[str, ...] = ()
    largest_file: int = 256 * 1024**3
    stall_seconds: float = 60.0
    upload_minutes: int = 1440
    waiting_uploads: int = 20
    packages: PackageReader = PLAIN
