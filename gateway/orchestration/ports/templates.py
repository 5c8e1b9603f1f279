"""Templates and configurations of NetworkPorts (DSP0263 5.18.3, 5.18.4)."""

from __future__ import annotations

from gateway.orchestration.common.names import checked_mac
from gateway.orchestration.networks.templates import NetworkCatalogueService
from gateway.store.model import Document


class NetworkPortConfigurationService(NetworkCatalogueService):
    """Configurations of NetworkPorts."""

    kind = "NetworkPortConfiguration"


class NetworkPortTemplateService(NetworkCatalogueService):
    """Templates of NetworkPorts."""

    kind = "NetworkPortTemplate"
    references = {"network": ("Network",), "networkPortConfig": ("NetworkPortConfiguration",)}

    def check_alone(self, document: Document) -> None:
        """Raise Invalid when no interface can have the MAC address."""
        if "macAddress" in document:
            checked_mac(document["macAddress"], "macAddress")
