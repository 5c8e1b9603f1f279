"""Job: what became of a change (DSP0263 5.20)."""

from __future__ import annotations

from marshmallow import Schema

from gateway.cimi.fields import DateTime, Enumeration, Integer, String, Verb
from gateway.cimi.references import Array, CollectionRef, Ref
from gateway.cimi.resource_type import Action, Capability, Common, ResourceType
from gateway.cimi.system import PACKAGE

JOB_STATES = ("QUEUED", "RUNNING", "STOPPING", "STOPPED", "SUCCESS", "FAILED")
FINAL_JOB_STATES = frozenset({"STOPPED", "SUCCESS", "FAILED"})


class JobSchema(Common):
    """The attributes of a Job."""

    state = Enumeration(*JOB_STATES, writable=False)
    targetResource = Ref("Resource", writable=False)  # noqa: N815 - the standard's name
    affectedResources = Array(Ref("Resource"), item="affectedResource", writable=False)  # noqa: N815
    action = Verb(writable=False)
    returnCode = Integer(writable=False, meaning="0, or 10000 plus the HTTP status of the failure")  # noqa: N815
    progress = Integer(writable=False, meaning="0 to 100")
    statusMessage = String(writable=False)  # noqa: N815
    timeOfStatusChange = DateTime(writable=False)  # noqa: N815
    parentJob = Ref("Job", writable=False)  # noqa: N815
    nestedJobs = Array(Ref("Job"), item="nestedJob", writable=False)  # noqa: N815
    log = CollectionRef("JobLine", extension=True, meaning="what its steps tell of themselves")


class JobLineSchema(Schema):
    """The attributes of a JobLine, a line in the log of a Job."""

    timestamp = DateTime(writable=False, extension=True, meaning="when it was written")
    level = String(writable=False, extension=True, meaning="info, warning or error")
    step = String(writable=False, extension=True, meaning="the step of the Job that it is about")
    message = String(writable=False, extension=True, meaning="text for people")


TYPES = (
    ResourceType("JobLine", JobLineSchema, "log", parent="Job", series=True),
    ResourceType(
        "Job",
        JobSchema,
        "jobs",
        editable=True,
        deletable=True,
        actions=(
            Action("stop", "stop the job and undo what it did"),
            Action("package", "read the package that an export has made", method="GET", gives=PACKAGE),
        ),
        capabilities=(Capability("JobRetention", "Minutes which a finished Job is kept", None),),
    ),
)
