"""The reading process: one question after another from its standard input, until that ends."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, BinaryIO

from drivers.confined.errors import Unreadable
from drivers.confined.forms import form_of, value_of
from drivers.confined.frames import READY, BrokenFrame, Frame, read_frame, write_frame
from drivers.confined.limits import allow_cpu, confine
from drivers.confined.reading import Reading, reading_at


class PipeSupply:
    """The bytes at the other end of the pipe."""

    def __init__(self, content: bytes, source: BinaryIO, sink: BinaryIO) -> None:
        self.content = content
        self._source = source
        self._sink = sink

    def more(self, offset: int, length: int) -> bytes | None:
        """Ask the gateway for these bytes. Raises BrokenFrame when it is gone."""
        write_frame(self._sink, Frame({"more": [offset, length]}))
        frame = read_frame(self._source)
        if frame is None:
            raise BrokenFrame
        return frame.data if frame.document.get("there") else None


def main(cpu_seconds: int, memory: int) -> None:
    """Answer questions under these limits; ends with the gateway."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # What a library may print is no answer.
    os.dup2(2, 1)
    # Who is asked to end ends by that signal, and is told from who fell.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    confine(memory)
    try:
        while (frame := read_frame(source)) is not None:
            allow_cpu(cpu_seconds)
            reading, question = understood(frame)
            write_frame(sink, READY)
            allow_cpu(cpu_seconds)
            write_frame(sink, answer(reading, question, PipeSupply(frame.data, source, sink)))
    except (BrokenFrame, BrokenPipeError):
        return
    except MemoryError:
        os._exit(1)


def understood(frame: Frame) -> tuple[Reading[Any, Any], Any]:
    """Return the way to read and the question. A failure here says nothing of the bytes, and ends the process."""
    reading = reading_at(frame.document["reading"])
    return reading, value_of(reading.question, frame.document["question"])


def answer(reading: Reading[Any, Any], question: Any, supply: PipeSupply) -> Frame:
    """Return the answer to a question, or why there is none."""
    try:
        return Frame({"answer": form_of(reading.read(question, supply))})
    except Unreadable as error:
        return Frame({"refused": str(error)})
    except (BrokenFrame, BrokenPipeError, MemoryError):
        raise
    except Exception as error:
        # A reader has met what nobody thought of. That is for the log of the gateway; the bytes are not good.
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        return Frame({"failed": f"{type(error).__name__}: {str(error)[:200]} at {place}"})
