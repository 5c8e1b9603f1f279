"""The hostile parts of a package, given to the reading process: gateway/package_reading.py is that end."""

from __future__ import annotations

from drivers.confined.errors import ReaderAway, ReaderDied, Unreadable
from drivers.confined.readers import ConfinedReaders
from drivers.confined.reading import Answer, Question, Reading
from gateway.errors import Unavailable
from gateway.ovf.certificate import Certificate
from gateway.ovf.errors import PackageInvalid, PackageReaderDied
from gateway.ovf.manifest import Sum
from gateway.ovf.model import Envelope
from gateway.package_reading import CERTIFICATE, DESCRIPTOR, MANIFEST, CertificateFile, WholeFile


class ConfinedPackageReader:
    """A PackageReader of gateway.ovf.package whose work a confined process does.

    All methods raise PackageInvalid, PackageReaderDied when that process was killed, and Unavailable when there is
    none.
    """

    def __init__(self, readers: ConfinedReaders) -> None:
        self._readers = readers

    async def envelope(self, content: bytes) -> Envelope:
        """Return what a descriptor says."""
        return await self._read(DESCRIPTOR, WholeFile(), content)

    async def sums(self, content: bytes) -> dict[str, Sum]:
        """Return the sums of a manifest by the names of their files."""
        return await self._read(MANIFEST, WholeFile(), content)

    async def certificate(self, content: bytes, manifest: bytes) -> Certificate:
        """Return the certificate of a ``.cert`` file, and whether its signature fits the manifest."""
        return await self._read(CERTIFICATE, CertificateFile(len(content)), content + manifest)

    async def _read(self, reading: Reading[Question, Answer], question: Question, content: bytes) -> Answer:
        try:
            return await self._readers.ask(reading, question, content)
        except Unreadable as error:
            raise PackageInvalid(str(error)) from None
        except ReaderDied as error:
            raise PackageReaderDied(str(error)) from None
        except ReaderAway as error:
            raise Unavailable(str(error)) from None
