"""A package's descriptor as values, in the order and the words of DSP0243. Sizes are bytes where a unit is not said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

OWN_DISK = "disk"
"""Use of a Disk that is a Machine's own."""
TEMPLATE_VOLUME = "volumeTemplate"
"""Use of a Disk that a Machine's template makes a Volume of."""
KILOBYTE = 1000
ROUNDING = 2**20
"""Bytes to whole numbers of which pools round up the size of a disk."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of the package (clause 7.1). ``size`` None: the descriptor does not tell."""

    id: str
    href: str
    size: int | None = None
    gzip: bool = False
    chunk_size: int | None = None
    """Bytes of each piece that the file was cut into (clause 7.1): ``href.000000000`` and so on."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A virtual disk (clause 9.1). ``capacity`` is a number or the name of a property, in ``units``."""

    id: str
    capacity: str
    units: str = "byte"
    file: str | None = None
    """Id of the File with its content; None for an empty disk."""
    format: str = ""
    parent: str | None = None
    populated: int | None = None
    shared: bool = False
    name: str = ""
    """What this program adds: the name of what it was."""
    use: str = ""
    """What this program adds: OWN_DISK or TEMPLATE_VOLUME for what is no Volume."""
    kilobytes: int | None = None
    """What this program adds: the capacity that CIMI shows, of which ``capacity`` is what was really made."""

    def size(self, made: int) -> int:
        """Return the bytes that CIMI shows of a disk of ``made`` bytes, which pools round up to whole MiB.

        The bytes that were made count alone where another program has changed the capacity since.
        """
        declared = (self.kilobytes or 0) * KILOBYTE
        return declared if declared and 0 <= made - declared < ROUNDING else made


@dataclass(frozen=True, slots=True)
class Network:
    """A logical network (clause 9.2). ``kind`` is what this program adds: PUBLIC or PRIVATE."""

    name: str
    description: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A choice of a DeploymentOptionSection (clause 9.8)."""

    id: str
    label: str = ""
    description: str = ""
    default: bool = False


@dataclass(frozen=True, slots=True)
class Property:
    """A value that the guest is told, and that may be chosen (clause 9.5.1)."""

    key: str
    type: str = "string"
    qualifiers: str = ""
    value: str = ""
    values: dict[str, str] = field(default_factory=dict)
    """Another default for a configuration, by its id."""
    user_configurable: bool = False
    password: bool = False
    label: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Product:
    """A ProductSection (clause 9.5)."""

    class_: str = ""
    instance: str = ""
    product: str = ""
    vendor: str = ""
    version: str = ""
    properties: tuple[Property, ...] = ()

    def name_of(self, key: str) -> str:
        """Return the property's name for the guest: ``class.key.instance`` (clause 9.5.1)."""
        return ".".join(part for part in (self.class_, key, self.instance) if part)


@dataclass(frozen=True, slots=True)
class StartupItem:
    """The order and the way in which a virtual system of a collection starts and stops (clause 9.7).

    Delays in seconds.
    """

    id: str
    order: int
    start_delay: int = 0
    waiting_for_guest: bool = False
    start_action: str = "powerOn"
    stop_delay: int = 0
    stop_action: str = "powerOff"


@dataclass(frozen=True, slots=True)
class OperatingSystem:
    """The guest's system (clause 9.9); ``id`` is a value of CIM_OperatingSystem.OsType."""

    id: int
    version: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A line of virtual hardware (clause 8.3): the CIM attributes that anything follows from."""

    instance_id: str
    type: int
    name: str = ""
    sub_type: str = ""
    quantity: str = ""
    units: str = ""
    parent: str = ""
    address: str = ""
    address_on_parent: str = ""
    connections: tuple[str, ...] = ()
    host_resources: tuple[str, ...] = ()
    allocated: bool = True
    """rasd:AutomaticAllocation: whether the device is plugged in."""
    required: bool = True
    configurations: frozenset[str] = frozenset()
    """Configurations that the item belongs to; none means all (clause 9.8)."""
    bound: str = ""
    """``min``, ``max`` or ``normal``: a range for what is not such an item (clause 8.4)."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """A VirtualHardwareSection (clause 8)."""

    types: tuple[str, ...] = ()
    """vssd:VirtualSystemType: families of virtual hardware that it was made for."""
    transports: frozenset[str] = frozenset()
    """How the guest awaits its environment: ``iso``."""
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class VirtualSystem:
    """A virtual system with its sections (clause 7.2); ``info`` is its description, ``eulas`` are its licences."""

    id: str
    name: str = ""
    info: str = ""
    annotation: str = ""
    products: tuple[Product, ...] = ()
    eulas: tuple[str, ...] = ()
    operating_system: OperatingSystem | None = None
    hardware: tuple[Hardware, ...] = ()
    template: str = ""
    """What this program adds: a MachineTemplate's XML, with what has no other place."""


@dataclass(frozen=True, slots=True)
class VirtualSystemCollection:
    """A collection of virtual systems, or of collections, with its sections (clause 7.2)."""

    id: str
    name: str = ""
    info: str = ""
    annotation: str = ""
    products: tuple[Product, ...] = ()
    eulas: tuple[str, ...] = ()
    startup: tuple[StartupItem, ...] = ()
    content: tuple[VirtualSystem | VirtualSystemCollection, ...] = ()
    template: str = ""
    """What this program adds: a SystemTemplate's XML, with what has no other place."""

    def systems(self) -> Iterator[VirtualSystem]:
        """Yield all virtual systems, those of nested collections included."""
        for part in self.content:
            if isinstance(part, VirtualSystem):
                yield part
            else:
                yield from part.systems()


Content = VirtualSystem | VirtualSystemCollection


@dataclass(frozen=True, slots=True)
class Envelope:
    """The whole descriptor. ``ignored`` are the optional parts that were left out, for people.

    ``unsupported`` are the required parts that are not known here; only a lax importer leaves them out.
    """

    content: Content
    files: tuple[File, ...] = ()
    disks: tuple[Disk, ...] = ()
    networks: tuple[Network, ...] = ()
    configurations: tuple[Configuration, ...] = ()
    version: int = 1
    ignored: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()
    _files: dict[str, File] = field(init=False, repr=False, compare=False)
    _disks: dict[str, Disk] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Know files and disks by their ids, since each of many devices asks for one."""
        object.__setattr__(self, "_files", {file.id: file for file in self.files})
        object.__setattr__(self, "_disks", {disk.id: disk for disk in self.disks})

    def file(self, identity: str) -> File | None:
        """Return the File with this id; None when there is none."""
        return self._files.get(identity)

    def disk(self, identity: str) -> Disk | None:
        """Return the Disk with this id; None when there is none."""
        return self._disks.get(identity)

    def below(self, disk: Disk) -> tuple[str, ...]:
        """Return the ids of the Files that a Disk stands on, the nearest first (``ovf:parentRef``)."""
        files: list[str] = []
        while disk.parent is not None and (lower := self.disk(disk.parent)) is not None and lower.file is not None:
            files.append(lower.file)
            disk = lower
        return tuple(files)
