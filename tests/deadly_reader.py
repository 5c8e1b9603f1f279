"""A reading process with a fault of its own, for tests: two texts in an image make it die, or hang for ever."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from drivers.base import ImageFacts
from drivers.confined.reading import Supply
from drivers.confined.worker import main
from drivers.images import looking

DEADLY, HANGING = b"this one is deadly", b"this one hangs"
HANGS = "hanging"
"""The name that the process takes while it hangs."""


def look(question: looking.ImageQuestion, supply: Supply) -> ImageFacts | None:
    if DEADLY in supply.content:
        os.kill(os.getpid(), signal.SIGKILL)
    if HANGING in supply.content:
        Path("/proc/self/comm").write_text(HANGS)
        time.sleep(3600)
    return looking.look(question, supply)


if __name__ == "__main__":
    looking.IMAGE = replace(looking.IMAGE, read=look)
    main(int(sys.argv[1]), int(sys.argv[2]))
