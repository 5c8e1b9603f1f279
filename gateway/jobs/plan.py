"""A Job's plan: named steps with JSON arguments, so that it can be kept as rows and resumed after a crash.

The steps which plans may name are in a ``StepRegistry``.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from gateway.errors import GatewayError
from gateway.store.model import Document


class OnRestart(StrEnum):
    """A choice of what happens at start to a Job that a crash interrupted."""

    RESUME = "resume"
    """Run the interrupted step again and go on."""
    UNDO = "undo"
    """Undo what was done; the job ends FAILED."""


@dataclass(frozen=True, slots=True)
class StepCall:
    """A step of a plan: the registered step's name, its arguments (JSON), and its weight in the Job's progress."""

    step: str
    arguments: Document = field(default_factory=dict)
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """The work of a Job.

    ``locks`` are resource paths, which are waited for all at once, before the first step. ``settle`` always runs last,
    after success, undo or stop, and before the Job's final state is written: it leaves the resources in a truthful
    state. ``affected`` become ``affectedResources``; those in ``drop_on_success`` are gone when the Job succeeds,
    those in ``drop_on_failure`` when it does not and everything was undone.
    """

    action: str
    """``add``, ``edit``, ``delete`` or the action's verb; dialects make a URI of the verb."""
    target: str
    project: str
    """Id of the project that the Job is in; empty for the gateway's own work."""
    steps: tuple[StepCall, ...]
    locks: tuple[str, ...] = ()
    affected: tuple[str, ...] = ()
    drop_on_success: tuple[str, ...] = ()
    drop_on_failure: tuple[str, ...] = ()
    settle: StepCall | None = None
    on_restart: OnRestart = OnRestart.RESUME
    parent_job: str | None = None
    request_id: str = ""
    address: str = ""
    """Address that the request came from."""
    reason: str = ""
    """The reason why the gateway does it by itself; empty for what a user asks for."""
    user: str = ""
    """Name of the user who asked for it; empty stands for the project's id, as of a project of one's own."""
    credential: str = ""
    """By what the user came in, as ``AuditEntry`` says it; empty where nobody noted it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The way in which the steps of a plan ended, for the step that settles them."""

    succeeded: bool
    left: bool
    """Something that a step made could not be undone."""


class StopRequested(Exception):
    """The request to stop, raised inside a step by ``StepContext.check``."""


class StepContext(Protocol):
    """All that a running step may use beside its arguments."""

    job: str
    """Path of the Job."""

    def progress(self, done: int, total: int) -> None:
        """Move this step's share of the progress; cheap, written at most some times per second."""
        ...

    async def log(self, message: str, level: str = "info", *, durable: bool = False) -> None:
        """Add a line to the job's log; a durable one is on disk afterwards, with all that was written before."""
        ...

    def check(self) -> None:
        """Raise StopRequested when the Job was asked to stop: this is a safe point."""
        ...

    async def wait_stop(self, seconds: float) -> bool:
        """Sleep, but return True at once when the job is asked to stop."""
        ...

    def resting(self) -> AbstractAsyncContextManager[None]:
        """Return a block in which the step only waits for other Jobs, which may need its worker's place."""
        ...

    async def unlock(self) -> None:
        """Let the plan's locks go: neither what follows nor the undos need them. A restart takes them anew."""
        ...

    def say(self, message: str) -> None:
        """Set the statusMessage which the job will have when it succeeds."""
        ...


class Step(Protocol):
    """A named step. All coroutines are idempotent: they may be run again after a crash."""

    name: str

    async def run(self, context: StepContext, arguments: Document) -> None:
        """Do the step."""
        ...

    async def undo(self, context: StepContext, arguments: Document) -> None:
        """Take back what the step has done."""
        ...

    async def settle(self, context: StepContext, arguments: Document, ended: Ended) -> None:
        """Leave the resources in a truthful state, as a plan's last step."""
        ...


class UnknownStepError(GatewayError):
    """A plan names a step that this version does not have."""


class StepRegistry(dict[str, Step]):
    """The steps by their names; a name stands for one step for ever, since plans on disk refer to it."""

    def register(self, step: Step) -> None:
        """Add a step. Raises ValueError when its name is taken."""
        if step.name in self:
            raise ValueError(f"two steps are named {step.name}")
        self[step.name] = step

    def __missing__(self, name: str) -> Step:
        raise UnknownStepError(f"this version of the gateway has no step {name!r}")
