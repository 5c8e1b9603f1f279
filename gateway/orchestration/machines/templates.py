"""MachineTemplates: what Machines are made by (DSP0263 5.14.5)."""

from __future__ import annotations

from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.resolving import resolve
from gateway.orchestration.common.resource_service import ResourceService, new_resource
from gateway.orchestration.credentials.service import without_password
from gateway.orchestration.machine_core.device_names import target_of
from gateway.orchestration.machines.configurations import check_configuration
from gateway.orchestration.machines.create import referred_image
from gateway.orchestration.machines.template_memory import check_template_memory, whole_configuration
from gateway.orchestration.machines.template_secrets import KeptTemplate, TemplateSecrets, remaining_secrets
from gateway.orchestration.monitoring.requested import requested_monitoring
from gateway.orchestration.volumes.templates import check_template
from gateway.store.model import Document, Resource


class MachineTemplateService(ResourceService):
    """The service of MachineTemplates."""

    kind = "MachineTemplate"
    catalogue = True

    async def make(self, caller: Caller, document: Document) -> Resource:
        """Return the new template, with its secrets beside its document."""
        public, secrets = await self._checked(caller, document)
        return KeptTemplate(secrets).on(new_resource(self.kind, caller.user, public))

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
