"""The steps which plans may name."""

from __future__ import annotations

from gateway.errors import GatewayError
from gateway.jobs.plan import Step


class UnknownStepError(GatewayError):
    """A plan names a step that this version does not have."""


class StepRegistry:
    """The steps by their names; a name stands for one step for ever, since plans on disk refer to it."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}

    def register(self, step: Step) -> None:
        """Add a step. Raises ValueError when its name is taken."""
        if step.name in self._steps:
            raise ValueError(f"two steps are named {step.name}")
        self._steps[step.name] = step

    def __getitem__(self, name: str) -> Step:
        try:
            return self._steps[name]
        except KeyError:
            raise UnknownStepError(f"this version of the gateway has no step {name!r}") from None
