"""What can come of a reading but its answer. The words are for people."""

from __future__ import annotations


class Unreadable(Exception):
    """The bytes were looked at, and are refused; the words say why."""


class ReaderAway(Exception):
    """It could not be read now, and that says nothing of the bytes: the host lacks memory or processes, or the process
    was ended before it looked at them, or by someone else.
    """


class BytesTooSlow(ReaderAway):
    """The reader was ended because what it had to be given did not come in time."""


class ReaderDied(Exception):
    """The process was killed while it read: it took more time or memory than it may, or fell."""
