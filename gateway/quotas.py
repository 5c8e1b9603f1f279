"""The quotas: all that is bounded of what a project may have, each with its unit; everything else about them follows.

``[quotas]`` of the configuration has their defaults, ``cimi-gateway quota set`` what is other for one project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PROJECT, USER, HOST = "project", "user", "host"
"""Who can have something of a quota: holders are named ``project/ID``, ``user/NAME`` and ``host/NAME``."""
Defaults = Mapping[str, Mapping[str, int]]
"""What each project, and each user, may have where nothing else was set, by the quotas' names."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A bound of what a project may have; what is not ``counted`` in the store is looked at as it happens."""

    name: str
    meaning: str
    unit: str = ""
    """``KiB`` or ``bytes``; empty for what is counted one by one."""
    counted: bool = True


QUOTAS = (
    Quota("machines", "Machines"),
    Quota("cpu", "virtual CPUs of all Machines"),
    Quota("memory", "memory of all Machines", "KiB"),
    Quota("running_memory", "memory of the Machines that run", "KiB"),
    Quota("disk_bytes", "disks of Machines", "bytes"),
    Quota("volumes", "Volumes"),
    Quota("volume_bytes", "size of all Volumes", "bytes"),
    Quota("images", "MachineImages and VolumeImages"),
    Quota("image_bytes", "files of images", "bytes"),
    Quota("snapshots", "snapshots of Machines"),
    Quota("networks", "Networks"),
    Quota("addresses", "Addresses"),
    Quota("systems", "Systems"),
    Quota("meters", "Meters"),
    Quota("documents", "resources of any type but Jobs and logs"),
    Quota("document_bytes", "documents of these resources", "bytes"),
    Quota("waiting_uploads", "images that wait for their bytes"),
    Quota("staging_bytes", "images on their way through the staging directory", "bytes"),
    Quota("jobs", "Jobs that have not ended, at work and waiting"),
    Quota("jobs_at_once", "Jobs at work at the same time; others wait", counted=False),
    Quota("event_streams", "readers of the live stream", counted=False),
    Quota("requests_per_second", "requests per second", counted=False),
)
BY_NAME = {quota.name: quota for quota in QUOTAS}
HOST_MEMORY = Quota("host_memory", "memory of the Machines that run on the host", "KiB")
HOST_CPU = Quota("host_cpu", "virtual CPUs of the Machines that run on the host")
