"""What can come of a reading but its answer. The words are for people."""

from __future__ import annotations


class Unreadable(Exception):
    """The bytes were looked at, and are refused; the words say why."""


class ReaderAway(Exception):
    """No process could be started to read: the host lacks memory or processes now."""


class ReaderDied(Exception):
    """The process that read was killed: it took more time or memory than it may, or fell."""
