"""From a MachineCreate to a checked new Machine: nothing is written, everything is looked at (DSP0263 5.14.2)."""

from __future__ import annotations

from dataclasses import replace

from drivers.base import Driver, HostFacts
from drivers.passwords import sha512_crypt
from drivers.threads import GUEST_PASSWORDS
from gateway.errors import Conflict, Forbidden, Invalid
from gateway.orchestration.attachments.new_volumes import NewVolumes
from gateway.orchestration.common.contract import Caller, Role
from gateway.orchestration.common.hosts import demand_confinement, demand_up, translating
from gateway.orchestration.common.references import OWN, merged, resolve
from gateway.orchestration.common.resource_service import new_resource
from gateway.orchestration.common.room import Room
from gateway.orchestration.credentials.service import check_credential, overridden
from gateway.orchestration.disks.layout import DiskHome, chosen_disks, disk_resource, needed_bytes, with_content
from gateway.orchestration.images.facts import KeptImage
from gateway.orchestration.interfaces.entries import chosen_interfaces
from gateway.orchestration.machine_core.chain import KINDS
from gateway.orchestration.machine_core.facts import GuestLimits, InterfaceEntry, KeptMachine, KeptSeed
from gateway.orchestration.machines.autostart import AUTOSTART
from gateway.orchestration.machines.templates import check_configuration, least_memory, referred_image, with_secrets
from gateway.orchestration.monitoring.templates import requested_monitoring
from gateway.orchestration.networks.assignment import Chosen, chosen_addresses
from gateway.store.model import Document, Resource

ARCHES = {"x86_64": "x86_64", "x86": "i686", "ARM": "aarch64", "POWER": "ppc64le", "z/Architecture": "s390x"}
"""The standard's spellings and libvirt's (DSP0263 5.14.4)."""
IMAGE = "machineTemplate.machineImage"
SPELLED = {arch: spelling for spelling, arch in ARCHES.items()}


class MachineCreate:
    """The checks and decisions of one create."""

    def __init__(self, room: Room, caller: Caller, document: Document) -> None:
        self.room = room
        self.caller = caller
        self.document = document
        self.volumes = NewVolumes()
        self.addresses: dict[str, list[Chosen]] = {}
        """The chosen addresses, by the interface's id."""

    async def make(self) -> tuple[Resource, tuple[Resource, ...]]:
        """Return the Machine in CREATING and its Disks; choose ``volumes`` and ``addresses``, too.

        Nothing is written. Raises what the request deserves.
        """
        template = await self._template()
        image = await self._image(template)
        config = await self._config(template, image)
        kept_image = KeptImage.of(image)
        name, driver = self._host(kept_image)
        with translating():
            host = await driver.host()
        demand_confinement(self.room.hypervisors[name], host)
        check_size(config, host)
        arch = _arch(config.get("cpuArch"), host)
        uefi = _boots_by_uefi(image, kept_image)
        if uefi and not host.uefi:
            raise Invalid("it boots by UEFI, and this host has no firmware for that", IMAGE)
        limits = _limits(config)
        interfaces = await chosen_interfaces(self.room, self.caller, template, name)
        kept = replace(
            await self._storage(config, image.path, kept_image, driver),
            interfaces=tuple(replace(entry, bandwidth=limits.network_bandwidth) for entry in interfaces),
            limits=limits,
            arch=arch,
            uefi=uefi,
            least_memory=least_memory(self.room.policy.least_memory, image),
            initial_state=template.get("initialState", "STARTED"),
            seed=await self._seed(template),
        )
        await self._addresses(template, kept.interfaces)
        monitoring = await requested_monitoring(self.room, self.caller, template, "Machine", "machineTemplate.")
        machine = new_resource("Machine", self.caller.project, self._document(template, config, host, arch))
        machine = monitoring.on(kept.on(machine))
        self.volumes = await NewVolumes.chosen(self.room, self.caller, template, machine)
        return machine, tuple(disk_resource(machine, disk) for disk in kept.disks)

    async def _storage(self, config: Document, path: str, image: KeptImage, driver: Driver) -> KeptMachine:
        """Return the facts of where the disks come to lie, and of what. Raises Conflict where the pool lacks room."""
        pool = self.room.hypervisors[image.host].pool
        with translating():
            pool_facts = await driver.storage.read_pool(pool)
        overlay = driver.storage.can_overlay(pool_facts) and image.pool == pool
        disk_format = driver.storage.formats(pool_facts)[0]
        disks = chosen_disks(config, image, disk_format)
        disks = await with_content(self.room, self.caller, config, disks, DiskHome(image.host, driver, pool_facts))
        needed = needed_bytes(disks, disk_format, overlay=overlay)
        if needed > pool_facts.available:
            raise Conflict(f"the pool {pool} has {pool_facts.available} bytes free; this Machine needs {needed}")
        return KeptMachine(
            host=image.host,
            pool=pool,
            image=path,
            image_volume=image.volume,
            image_format=image.format,
            overlay=overlay,
            disks=tuple(disks),
        )

    def _document(self, template: Document, config: Document, host: HostFacts, arch: str) -> Document:
        own: Document = {name: self.document[name] for name in OWN if name in self.document}
        own |= {name: template[name] for name in AUTOSTART if name in template}
        sizes = {"state": "CREATING", "cpu": config["cpu"], "memory": config["memory"]}
        return {**own, **sizes, "cpuArch": SPELLED.get(arch, arch), "cpuSpeed": host.cpu_mhz or None}

    async def _addresses(self, template: Document, interfaces: tuple[InterfaceEntry, ...]) -> None:
        for interface, entry in zip(template.get("networkInterfaces") or [{}], interfaces, strict=True):
            where = address_attribute(entry)
            self.addresses[str(entry.id)] = await chosen_addresses(
                self.room, self.caller, interface, entry.network_path, where
            )

    # The template

    async def _template(self) -> Document:
        given = self.document["machineTemplate"]
        template: Document = {}
        if "href" in given:
            where = "machineTemplate"
            referred = await resolve(self.room.store, self.caller, given["href"], ("MachineTemplate",), where)
            template = with_secrets(referred)
        return merged(template, given)

    async def _config(self, template: Document, image: Resource) -> Document:
        given = template.get("machineConfig")
        where = "machineTemplate.machineConfig"
        if given is None:
            raise Invalid("is missing", where)
        config: Document = {}
        if "href" in given:
            referred = await resolve(self.room.store, self.caller, given["href"], ("MachineConfiguration",), where)
            config = referred.document
        if "cpuShares" in given and self.caller.role is not Role.ADMIN:
            raise Forbidden("cpuShares is an admin's to give: name a MachineConfiguration that has it")
        config = merged(config, given)
        check_configuration(config, least_memory(self.room.policy.least_memory, image), f"{where}.")
        return config

    async def _image(self, template: Document) -> Resource:
        given = template.get("machineImage")
        where = IMAGE
        if given is None:
            raise Invalid("is missing", where)
        image = await referred_image(self.room.store, self.caller, given, where)
        if image.document["type"] in KINDS:
            raise Invalid("is a snapshot: restore its Machine from it, or capture that one as an IMAGE", where)
        if image.state != "AVAILABLE":
            raise Conflict(f"{where}: the image is {image.state}, not AVAILABLE")
        return image

    def _host(self, image: KeptImage) -> tuple[str, Driver]:
        name = image.host
        driver = self.room.drivers[name]
        demand_up(driver)
        return name, driver

    async def _seed(self, template: Document) -> KeptSeed:
        """Return what the guest's seed is to be made of.

        ``environment`` is no attribute of the standard: a package brings it.
        """
        seed = KeptSeed(user_data=template.get("userData") or None, environment=template.get("environment") or None)
        credential = template.get("credential")
        if credential is None:
            return seed
        where = "machineTemplate.credential"
        referred: Document = {}
        if "href" in credential:
            kinds = ("Credential", "CredentialTemplate")
            stored = await resolve(self.room.store, self.caller, credential["href"], kinds, where)
            referred = overridden(stored, credential)
        whole = merged(referred, credential)
        hashed = whole.get("password_hash")
        if credential.get("password"):
            hashed = await GUEST_PASSWORDS.run(sha512_crypt, credential["password"])
        check_credential({**whole, "password": hashed}, where)
        keys = (whole["key"],) if whole.get("key") else ()
        return replace(seed, user=whole.get("userName") or None, password_hash=hashed or None, keys=keys)


def address_attribute(entry: InterfaceEntry) -> str:
    """Return what stands before ``addresses`` in words about an interface of a new Machine."""
    return f"machineTemplate.networkInterfaces.{entry.id}."


def check_size(config: Document, host: HostFacts) -> None:
    """Raise Invalid when the host has fewer cpus, or less memory, than the configuration says."""
    if config["cpu"] > host.cpus:
        raise Invalid(f"the host has {host.cpus} cpus, not {config['cpu']}", "cpu")
    if config["memory"] > host.memory_kib:
        raise Invalid(f"the host has {host.memory_kib} KiB of memory, not {config['memory']}", "memory")


def _limits(config: Document) -> GuestLimits:
    """Return what a configuration bounds of what a guest takes of its host."""
    names = ("cpuShares", "diskOperations", "diskBandwidth", "networkBandwidth")
    return GuestLimits(*(config.get(name) for name in names))


def _boots_by_uefi(image: Resource, kept: KeptImage) -> bool:
    """Return whether the image boots by UEFI.

    Its property ``firmware`` says so (bios or uefi); without one, its bytes did when it was imported. Raises Invalid.
    """
    firmware = image.document.get("properties", {}).get("firmware")
    if firmware not in (None, "bios", "uefi"):
        raise Invalid(f"the image's property firmware is {firmware[:40]!r}; bios and uefi are known", IMAGE)
    return firmware == "uefi" or (firmware is None and kept.uefi)


def _arch(wanted: str | None, host: HostFacts) -> str:
    if wanted is None:
        return "x86_64" if "x86_64" in host.arches else host.arches[0]
    arch = {_plain(spelling): name for spelling, name in ARCHES.items()}.get(_plain(wanted), wanted)
    if arch not in host.arches:
        raise Invalid(f"this host runs {', '.join(host.arches)}, not {wanted[:40]}", "cpuArch")
    return arch


def _plain(spelling: str) -> str:
    """Return a spelling as it is compared: copies of the standard write the names with blanks, and in other cases."""
    return spelling.lower().replace(" ", "").replace("_", "").replace("/", "")
