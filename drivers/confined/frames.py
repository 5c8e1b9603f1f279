"""Messages between the gateway and a reading process: a JSON document and bytes, the lengths of both before them."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import Any, BinaryIO

LENGTHS = struct.Struct(">II")
LARGEST = 32 * 1024**2
"""Bytes of a document, or beside it."""


class BrokenFrame(Exception):
    """The other end went away in the middle, or says what nobody says."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A message: what is said, and bytes beside it."""

    document: dict[str, Any] = field(default_factory=dict)
    data: bytes = b""

    def encoded(self) -> bytes:
        """Return the message as it goes over the pipe: both lengths, the document as JSON, and the bytes."""
        words = json.dumps(self.document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        return LENGTHS.pack(len(words), len(self.data)) + words + self.data


READY = Frame({"ready": True})
"""Said by the reading process before it looks at the first byte: it is confined, and has understood the question."""


def lengths_of(header: bytes) -> tuple[int, int]:
    """Return how many bytes the document and the data have. Raises BrokenFrame."""
    if len(header) != LENGTHS.size:
        raise BrokenFrame
    words, data = LENGTHS.unpack(header)
    if words > LARGEST or data > LARGEST:
        raise BrokenFrame
    return words, data


def document_of(words: bytes) -> dict[str, Any]:
    """Return what a message says. Raises BrokenFrame."""
    try:
        document = json.loads(words.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        raise BrokenFrame from None
    if not isinstance(document, dict):
        raise BrokenFrame
    return document


def write_frame(sink: BinaryIO, frame: Frame) -> None:
    """Write the message, and flush it. Raises BrokenPipeError when the other end went away."""
    sink.write(frame.encoded())
    sink.flush()


def read_frame(source: BinaryIO) -> Frame | None:
    """Return the next message; None at the end. Raises BrokenFrame."""
    header = source.read(LENGTHS.size)
    if not header:
        return None
    words, data = lengths_of(header)
    document, content = source.read(words), source.read(data)
    if len(document) != words or len(content) != data:
        raise BrokenFrame
    return Frame(document_of(document), content)
