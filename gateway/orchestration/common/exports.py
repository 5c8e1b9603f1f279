"""The directories that packages are exported to: in each of them a directory for each user, by the user's name.

A file in a user's directory is that user's alone, and an admin's. A file beside those directories is nobody's export:
an admin has put it there.
"""

from __future__ import annotations

from pathlib import Path

from gateway.orchestration.common.contract import Caller, Role


class Exports:
    """The export directories, and the rights of users in them.

    Each method looks at the disk, and blocks as long as that takes.
    """

    def __init__(self, directories: tuple[str, ...]) -> None:
        self._directories = [Path(directory) for directory in directories]

    def own(self, caller: Caller) -> Path | None:
        """Return the directory of this user in the first of the directories, None when there are none."""
        return self._directories[0] / caller.project if self._directories else None

    def is_own(self, caller: Caller, directory: Path) -> bool:
        """Return whether a directory is this user's in one of the export directories that are there.

        The directory itself may be missing.
        """
        tops = [top.resolve() for top in self._directories if top.is_dir()]
        return directory.resolve() in [top / caller.project for top in tops]

    def writable(self, caller: Caller, directory: Path) -> bool:
        """Return whether this user may put a package into a directory. A user's own need not be there yet."""
        real = directory.resolve()
        tops = [top.resolve() / caller.project for top in self._directories]
        if caller.role is Role.ADMIN:
            tops += [top.resolve() for top in self._directories]
        return any(real.is_relative_to(top) for top in tops)

    def readable(self, caller: Caller, file: Path, others: tuple[str, ...] = ()) -> bool:
        """Return whether this user may import a file by its real path.

        A user may import everything but what lies in another user's directory; an admin may import everything.
        ``others`` are directories of images: one that stands inside of an export directory has its own rules.
        """
        if caller.role is Role.ADMIN:
            return True
        nearest = max((_depth(Path(other).resolve(), file) for other in others), default=-1)
        for top in (directory.resolve() for directory in self._directories):
            if _depth(top, file) < nearest or _depth(top, file) < 0:
                continue
            parts = file.relative_to(top).parts
            if len(parts) > 1 and parts[0] != caller.project:
                return False
        return True


def _depth(directory: Path, file: Path) -> int:
    """Return how many parts the path of a directory has that the file is below; -1 for another directory."""
    return len(directory.parts) if file.is_relative_to(directory) else -1
