"""The admission of connections: a limit of connections, overall and of one address, kept where they are accepted.

The sockets themselves are counted, before TLS and HTTP, so that a refusal costs next to nothing.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_network
from typing import Any

from gateway.addresses import parsed, source_of
from gateway.http.sparing import SparingLog

OWN = frozenset({"127.0.0.1", "::1"})
"""The host's own word to itself: monitors and proxies, for whom some places are kept."""
RESERVED = 16
"""Places that only the host itself and trusted proxies may take."""
REFUSED_AT_ONCE = 100
"""Connections that are refused between two turns of the event loop."""
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@dataclass(frozen=True, slots=True)
class Limits:
    """Connections at most; ``of_one`` is those of one address, or one IPv6 network of 64 bits."""

    overall: int = 2000
    of_one: int = 200


class Admission:
    """A count of the connections that are open, and of which more may come. ``trusted`` are proxies."""

    def __init__(self, limits: Limits, trusted: Iterable[str] = ()) -> None:
        self._limits = limits
        self._trusted = tuple(ip_network(entry) for entry in trusted)
        self._of: Counter[str] = Counter()
        self.open = 0
        self.refused = 0
        """Connections that were refused, since the start."""
        self._log = SparingLog()

    def admit(self, address: str) -> bool:
        """Count a connection from this address, unless it is one too many."""
        source = source_of(address)
        if self._is_preferred(address):
            fits = self.open < self._limits.overall
        else:
            fits = self.open < self._limits.overall - RESERVED and self._of[source] < self._limits.of_one
        if not fits:
            self.refuse(address)
            return False
        self.open += 1
        self._of[source] += 1
        return True

    def refuse(self, address: str) -> None:
        """Count and tell a connection that is not taken."""
        self.refused += 1
        self._log.warning("connection refused", address=address, open=self.open)

    def leave_waiting(self, error: OSError) -> None:
        """Tell that connections cannot even be refused."""
        self._log.warning("connections are left waiting", reason=error.strerror, open=self.open)

    def leave(self, address: str) -> None:
        """Count a connection from this address as closed."""
        source = source_of(address)
        self.open -= 1
        self._of[source] -= 1
        if self._of[source] <= 0:
            del self._of[source]

    def _is_preferred(self, address: str) -> bool:
        """Return whether it is the host itself or a trusted proxy."""
        plain = parsed(address)
        return plain is not None and (str(plain) in OWN or any(plain in network for network in self._trusted))


class Accepted(socket.socket):
    """An accepted connection that tells, once, when it is closed."""

    gone: Callable[[], None] | None = None

    def close(self) -> None:
        """Close the socket, and give its place back."""
        gone, self.gone = self.gone, None
        if gone is not None:
            gone()
        super().close()


class Listener(socket.socket):
    """A listening socket that closes what is one too many at once, also when file descriptors run out."""

    admission: Admission
    rest: Callable[[], None] | None = None
    """Has the event loop look away for a moment: what cannot be taken would wake it again and again."""
    _spare: int | None = None

    def guard(self, admission: Admission) -> None:
        """Ask this admission for each connection."""
        self.admission = admission
        self._spare = _spare()

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection that is admitted. Raises BlockingIOError when there is none for now."""
        for _ in range(REFUSED_AT_ONCE):
            try:
                connection, address = super().accept()
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    raise
                self._refuse_with_the_spare()
                continue
            name = _name(address)
            if self.admission.admit(name):
                taken = Accepted(connection.family, connection.type, connection.proto, fileno=connection.detach())
                taken.gone = partial(self.admission.leave, name)
                return taken, address
            connection.close()
        raise BlockingIOError(errno.EAGAIN, "refused as many as may be at once")

    def _refuse_with_the_spare(self) -> None:
        """Take a connection for which there is no descriptor, by giving up the spare one, and close it.

        Raises BlockingIOError when even that is not possible.
        """
        if self._spare is None:
            # It could not be opened again last time.
            with suppress(OSError):
                self._spare = _spare()
        if self._spare is None:
            raise self._exhausted(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
        os.close(self._spare)
        self._spare = None
        try:
            connection, address = super().accept()
            connection.close()
            self.admission.refuse(_name(address))
        except OSError as error:
            if error.errno in EXHAUSTED:
                raise self._exhausted(error) from None
        finally:
            with suppress(OSError):
                self._spare = _spare()

    def _exhausted(self, error: OSError) -> BlockingIOError:
        self.admission.leave_waiting(error)
        if self.rest is not None:
            self.rest()
        return BlockingIOError(errno.EAGAIN, "no connection can be taken for now")

    def close(self) -> None:
        """Close the socket, and the spare descriptor."""
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
        super().close()


def _name(address: Any) -> str:
    """Return where a connection comes from; by a socket of this host it is this host."""
    return str(address[0]) if isinstance(address, tuple) else "127.0.0.1"


def _spare() -> int:
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
