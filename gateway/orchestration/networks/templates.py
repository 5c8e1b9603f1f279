"""Templates and configurations of Networks (DSP0263 5.17.3, 5.17.4), and what those of NetworkPorts share."""

from __future__ import annotations

from gateway.errors import Invalid
from gateway.orchestration.common.checked_service import CheckedService
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.references import resolve
from gateway.orchestration.monitoring.templates import (
    requested_event_log,
    requested_meters,
)
from gateway.orchestration.networks.ranges import ATTRIBUTES, as_range
from gateway.store.model import Document


class NetworkCatalogueService(CheckedService):
    """Service of the templates and configurations of Networks and NetworkPorts."""

    references: dict[str, tuple[str, ...]] = {}
    """Kinds of the resource that an attribute may refer to, by the attribute."""

    async def check(self, caller: Caller, document: Document) -> None:
        """Raise Invalid for a reference that leads nowhere, and for what is wrong with the document alone."""
        for name, kinds in self.references.items():
            href = document.get(name, {}).get("href")
            if href is not None:
                await resolve(self.store, caller, href, kinds, name)
        if "meterTemplates" in document:
            await requested_meters(self.room, caller, document, self.kind.removesuffix("Template"))
        await requested_event_log(self.store, caller, document)
        self.check_alone(document)

    def check_alone(self, document: Document) -> None:
        """Raise Invalid, naming the attribute, for what is wrong with the document alone."""


class NetworkConfigurationService(NetworkCatalogueService):
    """Configurations of Networks."""

    kind = "NetworkConfiguration"

    def check_alone(self, document: Document) -> None:
        """Raise Invalid when a range is none."""
        check_network_configuration(document, "")


class NetworkTemplateService(NetworkCatalogueService):
    """Templates of Networks."""

    kind = "NetworkTemplate"
    references = {"networkConfig": ("NetworkConfiguration",), "forwardingGroup": ("ForwardingGroup",)}

    def check_alone(self, document: Document) -> None:
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
