"""Names by which what CIMI has no attribute for stands in properties, in and out."""

from __future__ import annotations

PREFIX = "ovf."
"""Before the name of a package's property, and of what else was found in it."""
OWN_CLASS = "cimi"
"""Class of the ProductSection that carries a resource's own properties."""
CONFIGURATION = "ovf.configuration"
LAX = "ovf.lax"
"""The action's property by which required parts that are not known here are left out."""
NETWORK = "ovf.network."
"""Before the name of a package's network: the Network to be used for it."""
IDENTITY = "ovf.id"
SOURCE = "ovf.source"
EULA = "ovf.eula"
SYSTEM = "ovf.os"
PRODUCT = "ovf.product"
CERTIFICATE = "ovf.certificate"
IGNORED = "ovf.ignored"
UNATTACHED = "ovf.unattached"
"""Ids of the Disks that no guest has, and which become Volumes all the same."""
STARTUP_WORDS = {
    "startDelay": "start_delay",
    "startAction": "start_action",
    "stopDelay": "stop_delay",
    "stopAction": "stop_action",
}
"""Words of a StartupSection that are kept in properties, where they are not the usual ones."""
FACTS = frozenset({CONFIGURATION, LAX, IDENTITY, SOURCE, EULA, SYSTEM, PRODUCT, CERTIFICATE, IGNORED, UNATTACHED})
"""Properties that have a place of their own in a package, or say where one came from."""
EMULATED = "kvm"
"""What virtual systems that are written here were made for."""
ORIGIN = "origin"
"""Property of a carried SystemTemplate: the kind of what was exported, System or SystemTemplate."""
