"""The virtual systems of one collection as machineTemplates, with the Volumes that they have."""

from __future__ import annotations

import base64
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from gateway.cimi.bounds import LONGEST_NAME
from gateway.cimi.edge import SYMBOL
from gateway.cimi.registry import type_of
from gateway.errors import Invalid
from gateway.orchestration.machine_core.names import SEED, free_target, target_of
from gateway.orchestration.systems.packages.carrying import some
from gateway.orchestration.systems.packages.levels import VirtualMachine, called
from gateway.orchestration.systems.packages.scope import Names, Scope, check_texts
from gateway.orchestration.volumes.pools import KILOBYTE
from gateway.ovf.deployment import Drive, Group, Guest, Port
from gateway.ovf.environment import awaits_environment, cloud_init, environment
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.model import OWN_DISK, TEMPLATE_VOLUME, Disk, Envelope, StartupItem
from gateway.ovf.names import TEMPLATE_SECTION
from gateway.ovf.units import bytes_of
from gateway.store.model import Document

MEMBERS = type_of("MachineTemplate").attributes
DEVICE = re.compile(r"(?:/dev/)?(vd[b-y])")
"""Devices of a Machine's further own disks."""
BOOT = "vda"


@dataclass(frozen=True, slots=True)
class Bytes:
    """A File that becomes an image: a MachineImage to boot from, or the content of a Volume or of an own disk."""

    kind: str
    file: str
    """Id of the File."""
    name: str
    capacity: int | None = None
    """Bytes that the package says its disk has; None for other files than disks."""
    format: str = ""
    parents: tuple[str, ...] = ()
    """Ids of the Files that it stands on, the nearest first."""

    @property
    def key(self) -> str:
        """Return what tells this from all other bytes of the package."""
        return f"{self.kind}:{self.file}"


@dataclass(frozen=True, slots=True)
class Given:
    """All that is there: ``images`` by the keys of ``Bytes``, their ``sizes`` in bytes, Networks by their names."""

    envelope: Envelope
    images: Mapping[str, str]
    sizes: Mapping[str, int]
    networks: Mapping[str, str]
    stopped: bool

    def disk(self, drive: Drive) -> Disk | None:
        """Return the Disk of a drive; None for an empty one."""
        return self.envelope.disk(drive.disk) if drive.disk is not None else None

    def content(self, disk: Disk | None) -> Document | None:
        """Return a reference to the VolumeImage of what is on the Disk; None for an empty one."""
        if disk is None or disk.file is None:
            return None
        return {"href": self.images[f"VolumeImage:{disk.file}"]}


@dataclass(frozen=True, slots=True)
class NumberedDrive:
    """A drive with its number among those of its guest, from 1."""

    number: int
    drive: Drive


class MachineComposition:
    """The Machines that the virtual systems of one collection become."""

    def __init__(self, given: Given, scope: Scope, names: Names, networks: Mapping[str, str | None]) -> None:
        self._given = given
        self._scope = scope
        self._networks = networks
        self._notes = scope.notes
        self.volumes = VolumeComposition(given, scope, names)

    def describe(
        self, machine: VirtualMachine, name: str, around: Group | None, startup: StartupItem | None
    ) -> Document:
        """Return the machineTemplate of a guest. ``name`` is what the Machine will be called."""
        guest, own = machine.part, machine.own
        who = called(guest)
        uses: dict[str, list[NumberedDrive]] = {OWN_DISK: [], TEMPLATE_VOLUME: [], "": []}
        for number, drive in enumerate(guest.drives[1:], 2):
            disk = self._given.disk(drive)
            uses[disk.use if disk is not None and disk.use in uses else ""].append(NumberedDrive(number, drive))
        disks = self._disks(guest, [numbered.drive for numbered in uses[OWN_DISK]], own, who)
        targets = Targets({BOOT, SEED, *(disk["device"] for disk in disks[1:])})
        made = self._made([numbered.drive for numbered in uses[TEMPLATE_VOLUME]], own, targets, who)
        off = self._given.stopped or (startup is not None and startup.start_action == "none")
        template = {
            "initialState": "STOPPED" if off else own.get("initialState"),
            "machineConfig": self._config(guest, disks, own),
            "machineImage": self._image(guest),
            "volumes": self.volumes.of(machine, uses[""], name, targets),
            "volumeTemplates": made,
            "networkInterfaces": self._interfaces(guest, own, who),
            **_seed(guest, around),
            **self._credential(own, who),
        }
        return some(template)

    # Disks

    def _image(self, guest: Guest) -> Document:
        disk = self._given.disk(guest.drives[0]) if guest.drives else None
        if disk is None or disk.file is None:
            raise PackageInvalid(f"VirtualSystem {guest.system.id!r} has no first disk with content to boot from")
        return {"href": self._given.images[f"MachineImage:{disk.file}"]}

    def _config(self, guest: Guest, disks: list[Document], own: Document) -> Document:
        """Return the configuration. A template that said nothing of disks says nothing again: its image does."""
        carried = own.get("machineConfig") or {}
        config = {"cpu": guest.cpus, "memory": -(-guest.memory // 1024)}
        config.update({name: carried[name] for name in ("cpuArch", "cpuSpeed") if name in carried})
        disk = self._given.disk(guest.drives[0]) if guest.drives else None
        size = self._given.sizes.get(f"MachineImage:{disk.file}") if disk is not None else None
        says_nothing = "cpu" in carried and "disks" not in carried and len(disks) == 1
        if says_nothing and size is not None and kilobytes(size) == disks[0]["capacity"]:
            return config
        return {**config, "disks": disks}

    def _disks(self, guest: Guest, drives: list[Drive], own: Document, who: str) -> list[Document]:
        """Return the first disk, and the Machine's further own ones with their content.

        ``device`` is no attribute of CIMI.
        """
        boot = guest.drives[:1]
        carried = (own.get("machineConfig") or {}).get("disks") or []
        if carried and len(carried) != len(boot) + len(drives):
            self._changed(who, "disks")
        if len(carried) != len(boot) + len(drives):
            carried = [{} for _ in (*boot, *drives)]
        devices = Targets({BOOT})
        disks = []
        for place, (drive, more) in enumerate(zip((*boot, *drives), carried, strict=True)):
            kept = {name: more[name] for name in ("format", "initialLocation") if name in more}
            disk: Document = {"capacity": kilobytes(drive.capacity), **kept}
            if place:
                disk["device"] = devices.of_own(more.get("initialLocation"))
                content = self._given.content(self._given.disk(drive))
                disk.update({"content_image": content} if content is not None else {})
            disks.append(disk)
        return disks

    def _made(self, drives: list[Drive], own: Document, targets: Targets, who: str) -> list[Document]:
        """Return the volumeTemplates, each with what it said of itself."""
        carried = own.get("volumeTemplates") or []
        if len(carried) != len(drives):
            self._changed(who, "volumeTemplates")
            carried = [{} for _ in drives]
        return [self._one_made(drive, more, targets, who) for drive, more in zip(drives, carried, strict=True)]

    def _one_made(self, drive: Drive, carried: Document, targets: Targets, who: str) -> Document:
        template = volume_template(drive.capacity, self._given.content(self._given.disk(drive)), carried)
        named: Document = {name: carried[name] for name in ("name", "description", "properties") if name in carried}
        return some({**named, **template, "initialLocation": targets.wished(carried.get("initialLocation"), who)})

    def _changed(self, who: str, what: str) -> None:
        self._notes.append(f"what {who} says of its {what}: its hardware was changed since")

    # Interfaces

    def _interfaces(self, guest: Guest, own: Document, who: str) -> list[Document]:
        carried = own.get("networkInterfaces") or []
        if carried and not unchanged(guest, own):
            self._changed(who, "networkInterfaces")
        entries = carried if unchanged(guest, own) else [{} for _ in guest.ports]
        usual = on_usual_network(guest, own, self._given.networks)
        return [
            some({"network": None if place in usual else self._network(port), **self._interface(port, more, who)})
            for place, (port, more) in enumerate(zip(guest.ports, entries, strict=True))
        ]

    def _network(self, port: Port) -> Document:
        symbol = self._networks[port.network]
        return {"href": self._given.networks[port.network] if symbol is None else f"{SYMBOL}{symbol}"}

    def _interface(self, port: Port, carried: Document, who: str) -> Document:
        for address in carried.get("addresses") or []:
            check_texts(address, who)
        said = {name: carried[name] for name in ("networkPort", "addresses", "mtu") if name in carried}
        [placed] = self._scope.placed(MEMBERS["networkInterfaces"], [said], who)
        on_port = "networkPort" in placed
        template = {
            "macAddress": None if on_port else port.mac,
            "state": None if port.connected else "Passive",
            **placed,
        }
        return {**template, "network": None} if on_port and "network" not in carried else template

    def _credential(self, own: Document, who: str) -> Document:
        """Return the user and the public key; without a key a password would be needed, which no package has."""
        carried = own.get("credential")
        if not carried:
            return {}
        if "href" in carried:
            credential = self._scope.placed(MEMBERS["credential"], {"href": carried["href"]}, who)
            return {"credential": credential} if credential else {}
        if carried.get("key"):
            return {"credential": {name: carried[name] for name in ("userName", "key") if name in carried}}
        self._notes.append(f"the credential of {who}: packages hold no passwords, and it has no key")
        return {}


def unchanged(guest: Guest, own: Document) -> bool:
    """Return whether a guest's network cards are those of which its template tells."""
    carried = own.get("networkInterfaces") or []
    networks = [(entry.get("network") or {}).get("href") for entry in carried]
    pairs = zip(networks, guest.ports, strict=False)
    return len(carried) == len(guest.ports) and all(
        network in (None, f"{SYMBOL}{port.network}") for network, port in pairs
    )


def on_usual_network(guest: Guest, own: Document, given: Container[str]) -> set[int]:
    """Return the places of the cards that were on the host's network for Machines that name none, and are so again."""
    carried = (own.get("networkInterfaces") or []) if unchanged(guest, own) else []
    pairs = enumerate(zip(carried, guest.ports, strict=False))
    named = ("network", "networkPort", "addresses")
    return {
        place
        for place, (entry, port) in pairs
        if not any(name in entry for name in named) and port.network not in given
    }


class Targets:
    """The devices where the disks of a Machine show up: each is given once."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken

    def of_own(self, location: str | None) -> str:
        """Return the device of a further own disk: where it was, or the next."""
        wish = DEVICE.fullmatch(location or "")
        free = wish is not None and wish.group(1) not in self._taken
        return self._take(wish.group(1) if wish is not None and free else free_target(self._taken, None, running=False))

    def wished(self, location: str | None, who: str) -> str | None:
        """Return the location, unless a disk is there already."""
        if not location:
            return None
        try:
            target = target_of(location)
        except Invalid as error:
            raise PackageInvalid(f"the {TEMPLATE_SECTION} of {who}: {error.message}") from None
        if target in self._taken:
            return None
        self._take(target)
        return location

    def next(self) -> str:
        """Return the location of a disk of which nothing is said."""
        return f"/dev/{self._take(free_target(self._taken, None, running=False))}"

    def _take(self, target: str) -> str:
        self._taken.add(target)
        return target


class VolumeComposition:
    """The Volumes that the guests of one template have besides their own disks; each Disk once."""

    def __init__(self, given: Given, scope: Scope, names: Names) -> None:
        self.descriptors: list[Document] = []
        self._given = given
        self._carried = scope.carried
        self._names = names
        self._symbols: dict[str, str] = {}
        """Id of a Disk, to the name of the Volume that it is."""

    def of(
        self, machine: VirtualMachine, drives: Iterable[NumberedDrive], name: str, targets: Targets
    ) -> list[Document]:
        """Return the references of one Machine, in its order."""
        entries = {entry["href"].removeprefix(SYMBOL): entry for entry in machine.own.get("volumes") or []}
        who = called(machine.part)
        places = {key: targets.wished(entry.get("initialLocation"), who) for key, entry in entries.items()}
        volumes = []
        for numbered in drives:
            drive = numbered.drive
            symbol = self._drive(drive, f"{name} disk {numbered.number}")
            location = places[drive.disk] if drive.disk in places else targets.next()
            volumes.append(some({"href": f"{SYMBOL}{symbol}", "initialLocation": location}))
        for number, file in enumerate(machine.part.media, 1):
            symbol = self._medium(file, f"{name} medium {number}")
            volumes.append({"href": f"{SYMBOL}{symbol}", "initialLocation": targets.next()})
        return volumes

    def _drive(self, drive: Drive, name: str) -> str:
        if drive.disk is None:
            return self._volume(name, drive.capacity, None, {})
        disk = self._given.disk(drive)
        if drive.disk not in self._symbols:
            wanted = (disk.name if disk else "") or name
            more = self._carried.rest_of("Volume", drive.disk)
            self._symbols[drive.disk] = self._volume(wanted, drive.capacity, self._given.content(disk), more)
        return self._symbols[drive.disk]

    def alone(self, identity: str) -> None:
        """Enter a Disk that no guest has."""
        disk = self._given.envelope.disk(identity)
        if disk is not None:
            size = bytes_of(disk.capacity, disk.units, f"the capacity of Disk {disk.id!r}")
            self._drive(Drive(disk.id, disk.size(size)), disk.name or disk.id)

    def _medium(self, file: str, name: str) -> str:
        key = f"VolumeImage:{file}"
        return self._volume(name, self._given.sizes.get(key, 0), {"href": self._given.images[key]}, {})

    def _volume(self, wanted: str, size: int, content: Document | None, more: Document) -> str:
        # Each guest with a shared Disk names it once more.
        name = self._names.take(wanted[:LONGEST_NAME])
        own: Document = {key: more[key] for key in ("description", "properties") if key in more}
        template = volume_template(size, content, more.get("volumeTemplate") or {})
        self.descriptors.append({"name": name, **own, "type": "Volume", "volumeTemplate": template})
        return name


def volume_template(size: int, content: Document | None, carried: Document) -> Document:
    """Return the template of a Volume. ``size`` in bytes; ``carried`` is what the package carries of it."""
    config = {name: value for name, value in (carried.get("volumeConfig") or {}).items() if name in ("type", "format")}
    template: Document = {"volumeConfig": {**config, "capacity": kilobytes(size)}}
    if content is not None:
        bootable = {"bootable": True} if (carried.get("volumeImage") or {}).get("bootable") else {}
        template["volumeImage"] = {**content, **bootable}
    return template


def kilobytes(size: int) -> int:
    """Return a size in bytes as kilobytes, rounded up."""
    return max(1, -(-size // KILOBYTE))


def _seed(guest: Guest, around: Group | None) -> Document:
    """Return what the guest finds in its seed, as the template says it."""
    seed = cloud_init(guest.values)
    template: Document = {}
    if seed.user_data is not None:
        template["userData"] = base64.b64encode(seed.user_data).decode()
    if seed.keys:
        template["credential"] = {"key": "\n".join(seed.keys)}
    if awaits_environment(guest):
        template["environment"] = environment(guest, around).decode()
    return template
