"""Templates and configurations of Networks (DSP0263 5.17.3, 5.17.4), and what those of NetworkPorts share."""

from __future__ import annotations

from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.references import resolve
from gateway.orchestration.common.resource_service import ResourceService, new_resource
from gateway.orchestration.monitoring.templates import asked_event_log, asked_meters
from gateway.orchestration.networks.ranges import ATTRIBUTES, as_range
from gateway.store.model import Document, Resource


class CheckedService(ResourceService):
    """A type whose documents are looked at when they are made and when they are edited."""

    catalogue = True
    references: dict[str, tuple[str, ...]] = {}
    """Kinds of the resource that an attribute may refer to, by the attribute."""

    async def make(self, caller: Caller, document: Document) -> Resource:
        """Return the checked new resource."""
        await self._check(caller, document)
        return new_resource(self.kind, caller.user, document)

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the checked resource after the edit."""
        changed = await super().change(caller, resource, document, selected)
        await self._check(caller, changed.document)
        return changed

    async def _check(self, caller: Caller, document: Document) -> None:
        for name, kinds in self.references.items():
            href = document.get(name, {}).get("href")
            if href is not None:
                await resolve(self.store, caller, href, kinds, name)
        if "meterTemplates" in document:
            await asked_meters(self.room, caller, document, self.kind.removesuffix("Template"))
        await asked_event_log(self.store, caller, document)
        self.check(document)

    def check(self, document: Document) -> None:
        """Raise Invalid, naming the attribute, for what is wrong with the document alone."""


class NetworkConfigurationService(CheckedService):
    """Configurations of Networks."""

    kind = "NetworkConfiguration"

    def check(self, document: Document) -> None:
        """Raise Invalid when a range is none."""
        check_network_configuration(document, "")


class NetworkTemplateService(CheckedService):
    """Templates of Networks."""

    kind = "NetworkTemplate"
    references = {"networkConfig": ("NetworkConfiguration",), "forwardingGroup": ("ForwardingGroup",)}

    def check(self, document: Document) -> None:
        """Raise Invalid when the configuration is missing, or a range of it is none."""
        config = document.get("networkConfig")
        if not config:
            raise Invalid("is missing", "networkConfig")
        check_network_configuration(config, "networkConfig.")


def check_network_configuration(document: Document, where: str) -> None:
    """Raise Invalid for what is wrong whatever the host; the rest is looked at when a Network is made."""
    for version, attribute in ATTRIBUTES.items():
        if attribute not in document:
            continue
        try:
            wish = as_range(document[attribute])
        except ValueError as error:
            raise Invalid(f"is no range of addresses: {error}"[:200], where + attribute) from None
        if wish.version != version:
            raise Invalid(f"is IPv{wish.version}; this attribute is for IPv{version}", where + attribute)
