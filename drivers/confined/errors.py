"""The ends that a reading can have but its answer; the words are for people."""

from __future__ import annotations


class Unreadable(Exception):
    """The bytes were looked at, and are refused; the words say why."""


class ReaderAway(Exception):
    """The bytes could not be read now, which says nothing of them.

    The host lacks memory or processes, or the process was ended before it looked at them, or by someone else.
    """


class BytesTooSlow(ReaderAway):
    """The reader was ended because what it had to be given did not come in time."""


class ReaderDied(Exception):
    """The process was killed while it read: it took more time or memory than it may, or fell."""
