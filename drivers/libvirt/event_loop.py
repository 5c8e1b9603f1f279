"""libvirt's own event loop, in one thread for the whole process.

It carries events and keepalive of all connections, and goes on even while the asyncio loop is busy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import libvirt
import structlog

PAUSE = 1.0
"""Seconds after an error."""
log = structlog.get_logger("libvirt")
_lock = threading.Lock()
_thread: threading.Thread | None = None


def ensure_running() -> None:
    """Start the thread once; must happen before the first connection is opened."""
    global _thread
    with _lock:
        if _thread is None:
            # The exceptions carry libvirt's messages; its own copy on standard error would be noise.
            libvirt.registerErrorHandler(lambda _context, _error: None, None)
            libvirt.virEventRegisterDefaultImpl()
            _thread = threading.Thread(target=_run, name="libvirt events", daemon=True)
            _thread.start()


def alive() -> bool:
    """Return whether the thread runs."""
    return _thread is not None and _thread.is_alive()


def _run(turn: Callable[[], object] = libvirt.virEventRunDefaultImpl) -> None:
    """Take turns for ever: without this thread no connection notices anything any more."""
    while True:
        try:
            turn()
        except Exception:
            log.exception("libvirt's event loop stumbled; it goes on")
            time.sleep(PAUSE)
