"""The common part of the two steps of an import, with what they are told."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.orchestration.common.contract import Asker
from gateway.orchestration.systems.packages.sources import PackageSource
from gateway.orchestration.systems.packages.step import PackageStep
from gateway.orchestration.systems.packages.wishes import Wishes


@dataclass(frozen=True)
class ImportStep(PackageStep):
    """A step of an import."""

    source: PackageSource
    wishes: Wishes
    kind: str
    """Kind of what is made: System or SystemTemplate."""
    caller: Asker

    @property
    def of_template(self) -> bool:
        """Return whether a SystemTemplate is made."""
        return self.kind == "SystemTemplate"
