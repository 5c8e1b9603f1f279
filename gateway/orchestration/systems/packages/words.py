"""Names by which what CIMI has no attribute for stands in properties, in and out."""

from __future__ import annotations

PREFIX = "ovf."
"""Before the name of a package's property, and of what else was found in it."""
OWN_CLASS = "cimi"
"""Class of the ProductSection that carries a resource's own properties."""
CONFIGURATION = "ovf.configuration"
NETWORK = "ovf.network."
"""Before the name of a package's network: the Network to be used for it."""
IDENTITY = "ovf.id"
SOURCE = "ovf.source"
EULA = "ovf.eula"
SYSTEM = "ovf.os"
PRODUCT = "ovf.product"
CERTIFICATE = "ovf.certificate"
IGNORED = "ovf.ignored"
STARTUP = "ovf.startup."
FACTS = frozenset({CONFIGURATION, IDENTITY, SOURCE, EULA, SYSTEM, PRODUCT, CERTIFICATE, IGNORED})
"""Properties that have a place of their own in a package, or say where one came from."""
EMULATED = "kvm"
"""What virtual systems that are written here were made for."""
