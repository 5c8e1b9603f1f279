"""The user who asked for a whole, as the plan of its Job keeps them: the Job asks for the parts on their behalf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.permissions import Role


@dataclass(frozen=True)
class Asker:
    """The part of a Caller that a plan keeps: everything but what belongs to the one request."""

    user: str
    role: Role
    request_id: str = ""
    address: str = ""

    @classmethod
    def of(cls, caller: Caller) -> Self:
        """Return what a plan keeps of this caller."""
        return cls(caller.user, caller.role, caller.request_id, caller.address)

    def caller(self, job: str | None) -> Caller:
        """Return the caller for a request that is a part of this Job, or of none."""
        return Caller(self.user, self.role, request_id=self.request_id, address=self.address, parent_job=job)
