"""MachineTemplates and MachineConfigurations: what Machines are made by, stored and by value (DSP0263 5.14.5, 5.14.6).

A configuration has the memory at least that a guest needs: with less that is killed, or never starts. Clients of 1.x
that take ``memory`` for MiB or GiB would shrink a running guest to a few KiB.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.cimi.edge import SYMBOL
from gateway.errors import Invalid, NotImplementedHere
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.references import merged, resolve
from gateway.orchestration.common.resource_service import ResourceService, erases, new_resource
from gateway.orchestration.credentials.service import without_password
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import target_of
from gateway.orchestration.monitoring.templates import requested_monitoring
from gateway.orchestration.volumes.templates import check_template
from gateway.store.durable import Kept, Secret, keyed, readable
from gateway.store.model import Document, Query, Resource
from gateway.store.reading import Reading
from gateway.store.store import Store

PROPERTY = "leastMemory"
"""Property of a MachineImage: KiB that its guests need, in place of the configuration's."""
LONGEST_NUMBER = 12


MIB = 1024
GIGABYTE = 1_000_000
CONFIGURATIONS: tuple[Document, ...] = (
    {"name": "tiny", "description": "1 cpu, 256 MiB", "cpu": 1, "memory": 256 * MIB},
    {"name": "small", "description": "1 cpu, 1 GiB", "cpu": 1, "memory": 1024 * MIB},
    {
        "name": "medium",
        "description": "2 cpus, 2 GiB, 20 GB disk",
        "cpu": 2,
        "memory": 2048 * MIB,
        "disks": [{"capacity": 20 * GIGABYTE, "format": "ext4"}],
    },
    {
        "name": "large",
        "description": "4 cpus, 8 GiB, 40 GB disk",
        "cpu": 4,
        "memory": 8192 * MIB,
        "disks": [{"capacity": 40 * GIGABYTE, "format": "ext4"}],
    },
)


class MachineConfigurationService(ResourceService):
    """The service of MachineConfigurations."""

    kind = "MachineConfiguration"
    catalogue = True

    async def make(self, caller: Caller, document: Document) -> Resource:
        """Return the new configuration. Raises Invalid for one that is not whole."""
        check_configuration(document, self.room.policy.least_memory)
        return new_resource(self.kind, caller.project, document)

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the configuration after the edit. Raises Invalid for one that is not whole."""
        changed = await super().change(caller, resource, document, selected)
        check_configuration(changed.document, self.room.policy.least_memory)
        return changed


async def ship(store: Store) -> None:
    """Write the shipped configurations into a store that never had a Job or a configuration.

    Configurations that an admin deleted stay deleted.
    """
    if (await store.page(Query("MachineConfiguration", last=1))).count:
        return
    if (await store.page(Query("Job", last=1))).count:
        return
    async with store.transaction() as transaction:
        for document in CONFIGURATIONS:
            await transaction.insert(new_resource("MachineConfiguration", None, document))


MOST_SHARES = 10_000


def check_configuration(document: Document, least: int, where: str = "") -> None:
    """Raise Invalid for a configuration that is not whole, or has less than ``least`` KiB of memory.

    ``where`` is the way to the configuration in a larger document, ending in a dot.
    """
    for name in ("cpu", "memory"):
        if name not in document:
            raise Invalid("is missing", where + name)
    demand_memory(document["memory"], least, f"{where}memory")
    if document.get("cpuShares", 0) > MOST_SHARES:
        raise Invalid(f"must be at most {MOST_SHARES}, not {document['cpuShares']}", f"{where}cpuShares")
    for place, disk in enumerate(document.get("disks", [])):
        if "capacity" not in disk:
            raise Invalid("is missing", f"{where}disks.{place}.capacity")


def least_memory(configured: int, image: Resource | None) -> int:
    """Return the KiB that a Machine of an image needs: as the image's property says, else as configured.

    Raises Invalid for a property that is no number.
    """
    text = (image.document.get("properties") or {}).get(PROPERTY) if image is not None else None
    if text is None:
        return configured
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= LONGEST_NUMBER):
        raise Invalid(f"the image's property {PROPERTY} is {text[:40]!r}; it is a number of KiB", "machineImage")
    return int(digits)


def demand_memory(memory: int, least: int, where: str) -> None:
    """Raise Invalid, naming the attribute and its unit, for less than a Machine needs. ``memory`` is in KiB."""
    if memory < least:
        raise Invalid(
            f"{memory} KiB is less than the {least} KiB ({least / 1024:g} MiB) that a Machine needs at least; memory "
            "is a number of KiB (kibibytes): 1 GiB is 1048576",
            where,
        )


# Templates


class MachineTemplateService(ResourceService):
    """The service of MachineTemplates."""

    kind = "MachineTemplate"
    catalogue = True

    async def make(self, caller: Caller, document: Document) -> Resource:
        """Return the new template, with its secrets beside its document."""
        public, secrets = await self._checked(caller, document)
        return KeptTemplate(secrets).on(new_resource(self.kind, caller.project, public))

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the template after the edit; a secret stays with what it belongs to."""
        public, secrets = await self._checked(caller, document)
        changed = await super().change(caller, resource, public, selected)
        # Attributes that stay count too: an image of today with the memory of before, or the reverse.
        await check_template_memory(self, caller, changed.document, "")
        before = remaining_secrets(resource, changed, document, selected)
        secrets = TemplateSecrets(
            user_data=secrets.user_data or before.user_data,
            password_hash=secrets.password_hash or before.password_hash,
        )
        return KeptTemplate(secrets).on(changed)

    async def _checked(self, caller: Caller, document: Document) -> tuple[Document, TemplateSecrets]:
        """Return the document with its references looked at, and its secrets apart."""
        await self._check_volumes(caller, document)
        await self._check_interfaces(caller, document)
        if document.get("machineImage"):
            image = await referred_image(self.store, caller, document["machineImage"], "machineImage")
            document = {**document, "machineImage": {"href": image.path}}
        await self._check_configuration(caller, document)
        await check_template_memory(self, caller, document, "")
        href = document.get("credential", {}).get("href")
        if href is not None:
            await resolve(self.store, caller, href, ("Credential", "CredentialTemplate"), "credential")
        await requested_monitoring(self.room, caller, document, "Machine")
        public = {name: value for name, value in document.items() if name != "userData"}
        hashed = None
        if "credential" in public:
            public["credential"], hashed = await without_password(public["credential"])
        return public, TemplateSecrets(document.get("userData") or None, hashed)

    async def _check_interfaces(self, caller: Caller, document: Document) -> None:
        for place, entry in enumerate(document.get("networkInterfaces", [])):
            if "network" in entry:
                where = f"networkInterfaces.{place}.network"
                await resolve(self.store, caller, entry["network"]["href"], ("Network",), where)

    async def _check_configuration(self, caller: Caller, document: Document) -> None:
        """Raise Invalid for a configuration, by value or reference, that is not whole."""
        given = document.get("machineConfig")
        if given is not None:
            check_configuration(await whole_configuration(self, caller, given, "machineConfig"), 0, "machineConfig.")

    async def _check_volumes(self, caller: Caller, document: Document) -> None:
        for place, entry in enumerate(document.get("volumes", [])):
            if "href" not in entry:
                raise Invalid("needs the href of a Volume", f"volumes.{place}")
            await resolve(self.store, caller, entry["href"], ("Volume",), f"volumes.{place}")
        for place, entry in enumerate(document.get("volumeTemplates", [])):
            where = f"volumeTemplates.{place}"
            if "href" in entry:
                await resolve(self.store, caller, entry["href"], ("VolumeTemplate",), where)
            await check_template(self, caller, entry, f"{where}.")
        for name in ("volumes", "volumeTemplates"):
            for place, entry in enumerate(document.get(name, [])):
                if entry.get("initialLocation"):
                    target_of(entry["initialLocation"], f"{name}.{place}.initialLocation")


@dataclass(frozen=True)
class TemplateSecrets:
    """The secrets of a MachineTemplate, which it does not show."""

    user_data: Secret | None = keyed("userData", default=None)
    password_hash: Secret | None = None
    """Hash of the password in the template's credential."""


@dataclass(frozen=True)
class KeptTemplate(Kept):
    """Facts of a MachineTemplate."""

    secrets: TemplateSecrets = TemplateSecrets()


def with_secrets(template: Resource) -> Document:
    """Return a stored MachineTemplate as Machines are made by it: each secret stands where it was given.

    Raises Conflict for a secret that the store could not open.
    """
    secrets, document = KeptTemplate.of(template).secrets, dict(template.document)
    if secrets.user_data is not None:
        document["userData"] = readable(secrets.user_data, template.path)
    if secrets.password_hash is not None:
        hashed = readable(secrets.password_hash, template.path)
        document["credential"] = {**document["credential"], "password_hash": hashed}
    return document


def without_seed_secrets(machine: Resource) -> Resource:
    """Return a Machine whose seed is made and needs no secrets any more; that it told an environment stays kept."""
    seed = KeptMachine.of(machine).seed
    environment = True if seed.environment is not None else None
    kept = replace(seed, user_data=None, password_hash=None, environment=environment)
    return KeptMachine.changed(machine, seed=kept)


def remaining_secrets(
    before: Resource, after: Resource, document: Document, selected: frozenset[str] | None
) -> TemplateSecrets:
    """Return the secrets of a MachineTemplate that an update with this document leaves.

    A password goes with the credential that it was given in: with its reference, or its user.
    """
    secrets = KeptTemplate.of(before).secrets
    if erases(document, selected, "userData"):
        secrets = replace(secrets, user_data=None)
    was, now = (resource.document.get("credential") for resource in (before, after))
    same = was and now and all(was.get(name) == now.get(name) for name in ("href", "userName"))
    if not same or erases(document.get("credential", {}), None, "password"):
        secrets = replace(secrets, password_hash=None)
    return secrets


# What a template refers to


async def referred_image(store: Reading, caller: Caller, given: Document, where: str) -> Resource:
    """Return the image that is referred to.

    The reference may be what ``$expand`` showed in its place. Raises NotImplementedHere for an image by value, as the
    capability MachineImageByValue says.
    """
    if "href" in given:
        image = await resolve(store, caller, given["href"], ("MachineImage",), where)
        if all(name == "href" or image.document.get(name) == value for name, value in given.items()):
            return image
    raise NotImplementedHere(
        f"{where}: images are taken by reference only; add it to the machineImages first, and give its href"
    )


async def whole_configuration(service: ResourceService, caller: Caller, given: Document, where: str) -> Document:
    """Return the configuration that ``given`` means: the referenced one with what is said beside the href."""
    if "href" not in given:
        return given
    referred = await resolve(service.store, caller, given["href"], ("MachineConfiguration",), where)
    return merged(referred.document, given)


async def check_template_memory(service: ResourceService, caller: Caller, template: Document, where: str) -> None:
    """Raise Invalid, naming the attribute, when a Machine of the template would have too little memory.

    A template by reference counts with its overrides. A name of something else in a System is not followed: what the
    name stands for is not made yet.
    """
    href = template.get("href")
    if href is not None:
        if href.startswith(SYMBOL):
            return
        kept = await resolve(service.store, caller, href, ("MachineTemplate",), where.rstrip("."))
        template = merged(kept.document, template)
    given, wanted = template.get("machineConfig"), template.get("machineImage")
    if not given or _by_name(given):
        return
    memory = (await whole_configuration(service, caller, given, f"{where}machineConfig")).get("memory")
    if memory is None:
        return
    image = None
    if wanted and not _by_name(wanted):
        image = await referred_image(service.store, caller, wanted, f"{where}machineImage")
    demand_memory(memory, least_memory(service.room.policy.least_memory, image), f"{where}machineConfig.memory")


def _by_name(reference: Document) -> bool:
    return str(reference.get("href", "")).startswith(SYMBOL)
