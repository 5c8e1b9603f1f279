"""Logs: one line per fact. To the journal with fields of its own when it is there, else to standard error."""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

from gateway.plain_text import printable

JOURNAL = "/run/systemd/journal/socket"
SEND_BUFFER = 8 * 1024**2
"""Bytes that may wait for the journal."""
FIELDS = {"job": "CIMI_JOB", "machine": "CIMI_MACHINE", "user": "CIMI_USER", "request": "CIMI_REQUEST"}
OF_THE_JOB = frozenset({"job", "machine", "resource", "user", "request"})
"""Fields that a Job's message leaves out: the Job, with which it begins, leads to them."""
SEVERAL_LINES = frozenset({"trace", "exception"})
"""Fields that keep their line ends; they stand beside the message."""
LONGEST_MESSAGE = 240
"""Characters of a message; the fields are whole."""
LONGEST_ID = 64
PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
SECRET = frozenset({"password", "userData", "user_data", "key", "authorization", "password_hash", "secrets"})

Event = MutableMapping[str, Any]


def drop_secrets(_logger: Any, _method: str, event: Event) -> Event:
    """Replace whatever a careless line holds under a secret's name, so that it is not written."""
    for name in SECRET & event.keys():
        event[name] = "(secret)"
    return event


def printable_values(_logger: Any, _method: str, event: Event) -> Event:
    """Replace control characters in what strangers may have chosen, so that no line of theirs looks like ours.

    This processor comes last: whatever is text by then, or is made text only by being written, is theirs, too.
    """
    for name, value in event.items():
        if name in SEVERAL_LINES:
            event[name] = "\n".join(map(printable, _text(value).split("\n")))
        elif value is not None and not isinstance(value, bool | int | float):
            event[name] = printable(_text(value))
    return event


def _text(value: Any) -> str:
    """Return what is written of a value; one that cannot be shown must not break the work that tells of it."""
    try:
        return value.decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)
    except Exception:
        return f"({type(value).__name__} that cannot be shown)"


def journal_datagram(event: Event) -> bytes:
    """Return an event in the journal's native protocol: NAME=value lines, or a length for values of several lines."""
    named = {FIELDS.get(name, f"CIMI_{name.upper()}"): str(value) for name, value in event.items()}
    machine = _machine_of(event)
    if machine is not None:
        named["CIMI_MACHINE"] = machine
    level = str(event.get("level", "info"))
    lines = {"MESSAGE": _message(event), "PRIORITY": str(PRIORITIES.get(level, 6))}
    lines |= {"SYSLOG_IDENTIFIER": "cimi-gateway", **named}
    return b"".join(_field(name, value.encode(errors="replace")) for name, value in lines.items())


def _message(event: Event) -> str:
    """Return what people read: short, since every field stands beside it in the journal.

    A line about a step of a Job reads as ``jobs tail`` prints it.
    """
    job, step = event.get("job"), event.get("step")
    if job and step:
        return _shortened(f"{job}  {step}: {event.get('event', '')}")
    left_out = {"event", "level", "timestamp", "request", *SEVERAL_LINES, *(OF_THE_JOB if job else ())}
    words = [str(event.get("event", "")), *(f"{key}={value}" for key, value in event.items() if key not in left_out)]
    return _shortened(f"{job}: {' '.join(words)}" if job else " ".join(words))


def _shortened(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else f"{message[: LONGEST_MESSAGE - 1]}\u2026"


def _machine_of(event: Event) -> str | None:
    """Return the path of the Machine which the line is about, by itself or by a part of it."""
    for name in ("machine", *event):
        collection, _, rest = str(event.get(name, ""))[: LONGEST_ID * 2].partition("/")
        identity = rest.partition("/")[0]
        if collection == "machines" and _is_id(identity):
            return f"machines/{identity}"
    return None


def _is_id(text: str) -> bool:
    return 0 < len(text) <= LONGEST_ID and text.replace("-", "").isalnum()


def _field(name: str, value: bytes) -> bytes:
    if b"\n" not in value:
        return name.encode() + b"=" + value + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"


class JournalLogger:
    """A structlog logger that sends each event to the journal, and never waits for it.

    A journal that reads nothing would else hold up every request. Lines that it did not take are counted, and told
    with the next line that it takes.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._path = JOURNAL
        self._lost = 0

    def msg(self, datagram: bytes) -> None:
        """Send a datagram to the journal; to standard error when there is none."""
        try:
            if self._lost:
                lost = {"event": "log lines lost", "level": "warning", "number": self._lost, "reason": "journal busy"}
                self._socket.sendto(journal_datagram(lost), self._path)
                self._lost = 0
            self._socket.sendto(datagram, self._path)
        except BlockingIOError:
            self._lost += 1
        except OSError:
            sys.stderr.write(datagram.decode(errors="replace"))

    debug = info = warning = error = critical = msg

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def set_up() -> None:
    """Choose how lines are written, by where standard error goes: systemd sets JOURNAL_STREAM for its services."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        drop_secrets,
        structlog.processors.format_exc_info,
        printable_values,
    ]
    level = structlog.make_filtering_bound_logger(20)
    if os.environ.get("JOURNAL_STREAM") and Path(JOURNAL).exists():
        journal = JournalLogger()
        structlog.configure(
            processors=[*shared, lambda _logger, _method, event: ((journal_datagram(event),), {})],
            wrapper_class=level,
            logger_factory=lambda *_: journal,
            cache_logger_on_first_use=True,
        )
        return
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *shared,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=level,
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
