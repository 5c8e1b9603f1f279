"""All steps of the Jobs that work on packages."""

from __future__ import annotations

from gateway.orchestration.systems.packages.export_steps import DeliverPackage, PackDisk, WritePackage
from gateway.orchestration.systems.packages.import_steps import (
    FetchPackage,
    ImportDisks,
    MakeImported,
    PackageStep,
    SettlePackage,
)

PACKAGE_STEPS: tuple[type[PackageStep | SettlePackage], ...] = (
    FetchPackage,
    ImportDisks,
    MakeImported,
    PackDisk,
    WritePackage,
    DeliverPackage,
    SettlePackage,
)
