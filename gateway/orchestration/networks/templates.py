"""Templates and configurations of Networks and NetworkPorts (DSP0263 5.17.3, 5.17.4, 5.18.3, 5.18.4)."""

from __future__ import annotations

from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.resolving import resolve
from gateway.orchestration.common.resource_service import ResourceService, new_resource
from gateway.orchestration.monitoring.meter_templates import asked_meters
from gateway.orchestration.monitoring.templates import asked_event_log
from gateway.orchestration.networks.mac import checked_mac
from gateway.orchestration.networks.ranges import ATTRIBUTES, as_range
from gateway.store.model import Document, Resource


class CheckedService(ResourceService):
    """A type whose documents are looked at when they are made and when they are edited."""

    catalogue = True
    references: dict[str, tuple[str, ...]] = {}

    async def make(self, caller: Caller, document: Document) -> Resource:
        await self._check(caller, document)
        return new_resource(self.kind, caller.user, document)

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
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
        """Raises Invalid, naming the attribute."""


class NetworkConfigurationService(CheckedService):
    kind = "NetworkConfiguration"

    def check(self, document: Document) -> None:
        check_network_configuration(document, "")


class NetworkTemplateService(CheckedService):
    kind = "NetworkTemplate"
    references = {"networkConfig": ("NetworkConfiguration",), "forwardingGroup": ("ForwardingGroup",)}

    def check(self, document: Document) -> None:
        config = document.get("networkConfig")
        if not config:
            raise Invalid("is missing", "networkConfig")
        check_network_configuration(config, "networkConfig.")


class NetworkPortConfigurationService(CheckedService):
    kind = "NetworkPortConfiguration"


class NetworkPortTemplateService(CheckedService):
    kind = "NetworkPortTemplate"
    references = {"network": ("Network",), "networkPortConfig": ("NetworkPortConfiguration",)}

    def check(self, document: Document) -> None:
        if "macAddress" in document:
            checked_mac(document["macAddress"], "macAddress")


def check_network_configuration(document: Document, where: str) -> None:
    """What is wrong whatever the host; the rest is looked at when a Network is made."""
    for version, attribute in ATTRIBUTES.items():
        if attribute not in document:
            continue
        try:
            found = as_range(document[attribute])
        except ValueError as error:
            raise Invalid(f"is no range of addresses: {error}"[:200], where + attribute) from None
        if found.version != version:
            raise Invalid(f"is IPv{found.version}; this attribute is for IPv{version}", where + attribute)


TEMPLATE_SERVICES: tuple[type[ResourceService], ...] = (
    NetworkConfigurationService,
    NetworkTemplateService,
    NetworkPortConfigurationService,
    NetworkPortTemplateService,
)
