"""The room, which every service works with: the store, the runner of Jobs, the hosts, the configuration's decisions.

Besides, it has the tools for images, the ledger of what Volumes have taken, and what imports have been promised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from drivers.base import Converter, Driver, Fetcher, FileSystemMaker, ImageReader
from drivers.supervision import Supervision
from gateway.jobs.queues import ResourceLocks
from gateway.jobs.runner import JobRunner
from gateway.orchestration.common.capacity import Capacities
from gateway.orchestration.common.contract import Service
from gateway.orchestration.common.directory import Directory
from gateway.orchestration.common.hosts import ConfiguredDrivers, ConfiguredHypervisors
from gateway.orchestration.common.staging import Staging
from gateway.ovf.package import PLAIN, PackageReader
from gateway.quotas import Defaults
from gateway.store.durable import Hosted, from_document
from gateway.store.model import Resource
from gateway.store.reading import Records

PoolKey = tuple[str, str]
"""The names of a host and of a pool on it."""


@dataclass(frozen=True, slots=True)
class ImageTools:
    """The tools for images, file systems and packages, the staging directory, and their limits.

    ``directories`` are those that files may be imported from, ``export_directories`` those that packages go to;
    ``largest_file`` is in bytes.
    ``stall_seconds`` without a byte end an upload; ``upload_minutes`` after its last byte it is given up.
    ``waiting_uploads`` is how many a user may leave waiting.
    """

    reader: ImageReader
    fetcher: Fetcher
    converter: Converter
    file_systems: FileSystemMaker
    staging: Staging
    directories: tuple[str, ...] = ()
    export_directories: tuple[str, ...] = ()
    largest_file: int = 256 * 1024**3
    stall_seconds: float = 60.0
    upload_minutes: int = 1440
    waiting_uploads: int = 20
    packages: PackageReader = PLAIN


class Ledger:
    """The bytes that each Volume of a pool has taken, as last seen, by the pool and by the name of its storage there.

    What a pool has given is no promise any more.
    """

    def __init__(self) -> None:
        self._taken: dict[PoolKey, dict[str, int]] = {}

    def enter(self, pool: PoolKey, volume: str, size: int) -> None:
        """Write down how many bytes one Volume has taken of its pool."""
        self._taken.setdefault(pool, {})[volume] = size

    def renew(self, pool: PoolKey, sizes: Mapping[str, int]) -> None:
        """Write down how many bytes each Volume has taken of a pool, in place of all that was written of that pool."""
        self._taken[pool] = dict(sizes)

    def strike(self, pool: PoolKey, volume: str) -> None:
        """Forget what one Volume has taken of its pool; a Volume that is not written down is no error."""
        self._taken.get(pool, {}).pop(volume, None)

    def taken(self, pool: PoolKey) -> int:
        """Return how many bytes all Volumes have taken of a pool."""
        return sum(self._taken.get(pool, {}).values())


class Promises:
    """The ranges and MAC addresses that imports under way are going to ask for, by Job: in memory only.

    Nobody else gets them meanwhile.
    """

    def __init__(self) -> None:
        self._values: dict[str, set[str]] = {}

    def add(self, job: str, values: Iterable[str]) -> None:
        """Promise ranges and MAC addresses to a Job, beside those that it has been promised already."""
        self._values.setdefault(job, set()).update(values)

    def renew(self, job: str, values: Iterable[str]) -> None:
        """Promise ranges and MAC addresses to a Job, in place of those that it has been promised before."""
        self._values[job] = set(values)

    def drop(self, job: str) -> None:
        """Forget all that a Job has been promised; a Job without promises is no error."""
        self._values.pop(job, None)

    def ranges(self) -> Iterator[str]:
        """Yield the ranges that any Job has been promised, as ``address/prefix length``."""
        return (value for values in self._values.values() for value in values if "/" in value)

    def of_others(self, job: str) -> set[str]:
        """Return the ranges and MAC addresses that any other Job has been promised."""
        return {value for other, values in self._values.items() for value in values if other != job}


@dataclass(frozen=True, slots=True)
class Policy:
    """The decisions of the configuration for the services.

    The deadlines, ``sample_period`` and ``sample_interval`` are in seconds.
    """

    stop_deadline: float = 60.0
    detach_deadline: float = 20.0
    retention_minutes: int = 1440
    event_persistence: str = "monthly"
    sample_period: int = 10
    sample_interval: int = 60
    most_meters: int = 50
    least_memory: int = 65_536
    """The KiB that a Machine needs, where its image says nothing."""
    default_quotas: Defaults = field(default_factory=dict)
    deltacloud: bool = True
    """Whether ResourceMetadata is shown to clients of 1.0 under their own names, too."""


@dataclass(frozen=True, slots=True)
class Room:
    """The parts that every service works with."""

    store: Records
    runner: JobRunner
    drivers: ConfiguredDrivers
    hypervisors: ConfiguredHypervisors
    policy: Policy
    images: ImageTools
    ledger: Ledger = field(default_factory=Ledger)
    """The bytes that Volumes have taken of their pools, as last seen."""
    promises: Promises = field(default_factory=Promises)
    """The ranges and MAC addresses that imports under way are going to ask for: nobody else gets them."""
    directory: Directory = field(default_factory=Directory)
    """The users, projects, members and tokens, at hand."""
    capacities: Capacities = field(default_factory=lambda: Capacities({}))
    """What the hosts can carry."""
    services: dict[str, Service] = field(default_factory=dict)
    """The services by kind, for Jobs that ask for changes of other families' resources."""
    families: dict[str, Callable[[Room], Service]] = field(default_factory=dict)
    """The makers of the services by kind, for a room with another store."""
    guards: ResourceLocks = field(default_factory=ResourceLocks)
    """The locks on Networks whose filter or reservation is being brought to what the store says.

    By them the later of two Jobs at once does not write what it read earlier.
    """

    supervision: Supervision = field(default_factory=Supervision)
    """The supervision of all loops and reactions."""

    def driver(self, resource: Resource) -> Driver:
        """Return the driver of the host that the resource lives on; an UnconfiguredHost where that has no entry."""
        return self.drivers[from_document(resource.internal, Hosted).host or ""]
