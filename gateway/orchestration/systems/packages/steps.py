"""All steps of the Jobs that work on packages."""

from __future__ import annotations

from gateway.orchestration.systems.packages.disk_step import ImportDisks
from gateway.orchestration.systems.packages.export_steps import DeliverPackage, PackDisk, WritePackage
from gateway.orchestration.systems.packages.import_steps import MakeImported
from gateway.orchestration.systems.packages.settling import SettlePackage
from gateway.orchestration.systems.packages.step import PackageStep

PACKAGE_STEPS: tuple[type[PackageStep], ...] = (
    ImportDisks,
    MakeImported,
    PackDisk,
    WritePackage,
    DeliverPackage,
    SettlePackage,
)
