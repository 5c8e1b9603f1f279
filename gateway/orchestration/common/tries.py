"""Work that may bring down who does it: how often it was begun and not ended is kept, and twice is enough.

Hostile bytes are read by a process that dies of them instead of the gateway. Should they ever bring down the gateway
itself, its next start takes the Job up again, and would die of it once more: so the tries are counted in the store,
where they outlive the process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from drivers.base import DriverReaderDied
from gateway.errors import Invalid, NoSpace, Unavailable
from gateway.jobs.records import KeptJob
from gateway.ovf.certificate import Certificate
from gateway.ovf.errors import PackageReaderDied
from gateway.ovf.manifest import Sum
from gateway.ovf.model import Envelope
from gateway.ovf.package import PackageReader
from gateway.store.reading import Records
from gateway.store.store import uninterrupted

MOST_TRIES = 2
T = TypeVar("T")


class Tries:
    """The counted tries of one Job, each under the name of its work (``what``), which people read."""

    def __init__(self, store: Records, job: str) -> None:
        self._store = store
        self._job = job

    async def of(self, what: str, work: Callable[[], Awaitable[T]]) -> T:
        """Return the result of the work, which is begun again once when its reader dies, or the gateway does.

        Raises Invalid when both tries ended so.
        """
        while True:
            if not await self._begin(what):
                await self._end(what)
                raise Invalid(
                    f"{what} was begun {MOST_TRIES} times, and each time ended the process that did it: "
                    "it takes more time or memory than it may. It is broken, or made to do harm, and not tried again"
                )
            try:
                result = await work()
            except (DriverReaderDied, PackageReaderDied):
                continue
            except BaseException:
                # A gateway that stops in good order is nobody's death. A full disk hides no other error.
                with suppress(NoSpace, Unavailable):
                    await uninterrupted(self._end(what))
                raise
            await uninterrupted(self._end(what))
            return result

    async def _begin(self, what: str) -> bool:
        """Note one more try; False when there were enough. The note outlives this process, if not a power cut."""
        async with self._store.transaction(durable=False) as transaction:
            job = await transaction.get(self._job)
            tries = dict(KeptJob.of(job).tries) if job is not None else {}
            tries[what] = tries.get(what, 0) + 1
            if job is not None and tries[what] <= MOST_TRIES:
                await transaction.update(KeptJob.changed(job, tries=tries))
            return tries[what] <= MOST_TRIES

    async def _end(self, what: str) -> None:
        """Forget the tries of this work."""
        async with self._store.transaction(durable=False) as transaction:
            job = await transaction.get(self._job)
            tries = dict(KeptJob.of(job).tries) if job is not None else {}
            if job is not None and tries.pop(what, 0):
                await transaction.update(KeptJob.changed(job, tries=tries))


class TriedPackageReader:
    """The PackageReader of gateway.ovf.package for a Job: what its reader dies of is tried twice."""

    def __init__(self, reader: PackageReader, tries: Tries) -> None:
        self._reader = reader
        self._tries = tries

    async def envelope(self, content: bytes) -> Envelope:
        """Return the envelope that the descriptor describes. Raises Invalid after two deaths of the reader."""
        return await self._tries.of("reading the descriptor", lambda: self._reader.envelope(content))

    async def sums(self, content: bytes) -> dict[str, Sum]:
        """Return the sums of the manifest by file names. Raises Invalid after two deaths of the reader."""
        return await self._tries.of("reading the manifest", lambda: self._reader.sums(content))

    async def certificate(self, content: bytes, manifest: bytes) -> Certificate:
        """Return the certificate of a package. Raises Invalid after two deaths of the reader."""
        return await self._tries.of("reading the certificate", lambda: self._reader.certificate(content, manifest))
