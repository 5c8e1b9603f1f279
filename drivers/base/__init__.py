"""What any hypervisor driver offers, in the gateway's vocabulary.

Dataclasses in, dataclasses out, typed errors. Memory is in KiB, capacities in bytes, times in seconds. Every
call that changes something is idempotent: asking for what is already so succeeds, so that a step of a job can be
run again after a crash. "Already gone" is success for every removal.
"""

from drivers.base.devices import DeviceCalls
from drivers.base.domains import (
    Applied,
    DiskFacts,
    DiskSpec,
    DomainCalls,
    DomainFacts,
    DomainSpec,
    InterfaceAddress,
    InterfaceFacts,
    InterfaceSpec,
    Power,
)
from drivers.base.driver import Driver
from drivers.base.errors import (
    DriverAbsent,
    DriverBusy,
    DriverConflict,
    DriverError,
    DriverFailed,
    DriverInvalid,
    DriverNoSpace,
    DriverNotFound,
    DriverReaderDied,
    DriverUnavailable,
    DriverUnreachable,
    DriverUnsupported,
)
from drivers.base.events import ConnectionState, DriverEvent, EventKind, Listener
from drivers.base.fetching import Converter, Fetcher, RemoteFile
from drivers.base.filters import GUARD, GUARD_HOST, GUARD_MAC, FilterCalls, Reach, filter_name, fixed_filter_name
from drivers.base.host import HostFacts, HypervisorSettings, PoolSettings
from drivers.base.measures import CallObserver, Load
from drivers.base.networks import (
    AddressPool,
    Bandwidth,
    BandwidthClass,
    Lease,
    NetworkCalls,
    NetworkFacts,
    NetworkSpec,
    RangeSpec,
    Reservation,
    Traffic,
    network_name,
    network_uuid,
)
from drivers.base.progress import Progress
from drivers.base.snapshots import SnapshotCalls, SnapshotFacts
from drivers.base.statistics import DiskReading, DomainReading, HostReading, InterfaceReading, StatisticsCalls
from drivers.base.storage import FilePart, ImageFacts, ImageReader, PoolFacts, StorageCalls, UnpackedImage, VolumeFacts

__all__ = [
    "GUARD",
    "GUARD_HOST",
    "GUARD_MAC",
    "AddressPool",
    "Applied",
    "Bandwidth",
    "BandwidthClass",
    "CallObserver",
    "ConnectionState",
    "Converter",
    "DeviceCalls",
    "DiskFacts",
    "DiskReading",
    "DiskSpec",
    "DomainCalls",
    "DomainFacts",
    "DomainReading",
    "DomainSpec",
    "Driver",
    "DriverAbsent",
    "DriverBusy",
    "DriverConflict",
    "DriverError",
    "DriverEvent",
    "DriverFailed",
    "DriverInvalid",
    "DriverNoSpace",
    "DriverNotFound",
    "DriverReaderDied",
    "DriverUnavailable",
    "DriverUnreachable",
    "DriverUnsupported",
    "EventKind",
    "Fetcher",
    "FilePart",
    "FilterCalls",
    "HostFacts",
    "HostReading",
    "HypervisorSettings",
    "ImageFacts",
    "ImageReader",
    "InterfaceAddress",
    "InterfaceFacts",
    "InterfaceReading",
    "InterfaceSpec",
    "Lease",
    "Listener",
    "Load",
    "NetworkCalls",
    "NetworkFacts",
    "NetworkSpec",
    "PoolFacts",
    "PoolSettings",
    "Power",
    "Progress",
    "RangeSpec",
    "Reach",
    "RemoteFile",
    "Reservation",
    "SnapshotCalls",
    "SnapshotFacts",
    "StatisticsCalls",
    "StorageCalls",
    "Traffic",
    "UnpackedImage",
    "VolumeFacts",
    "filter_name",
    "fixed_filter_name",
    "network_name",
    "network_uuid",
]
