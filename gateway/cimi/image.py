"""The common part of MachineImage and VolumeImage (DSP0263 5.14.7, 5.16.5)."""

from __future__ import annotations

from gateway.cimi.coded import Sha256
from gateway.cimi.fields import Integer
from gateway.cimi.resource_type import Action

IMAGE_STATES = ("CREATING", "AVAILABLE", "DELETING", "ERROR")
BYTES = "application/octet-stream"
IMAGE_ACTIONS = (
    Action(
        "upload",
        "send the image's bytes",
        ("Content-Range", "Content-Digest"),
        method="PUT",
        takes=BYTES,
        also=("GET",),
    ),
    Action("download", "the image's bytes", ("Range", "If-Range"), method="GET", gives=BYTES),
)


def file_size() -> Integer:
    """Return the attribute for the size of an image's file."""
    return Integer(minimum=1, writable=False, at_create=True, extension=True, meaning="bytes of the image's file")


def file_sum() -> Sha256:
    """Return the attribute for the SHA-256 of an image's file."""
    return Sha256(writable=False, at_create=True, extension=True, meaning="of the bytes as they come in")
