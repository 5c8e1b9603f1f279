"""The origin of a new MachineImage that names a Machine: the URI decides, else its type (DSP0263 5.14.7.2)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import Invalid
from gateway.orchestration.machine_core.chain import KINDS
from gateway.store.model import Document

LOCATION = "imageLocation"
VERBS = ("capture", "snapshot")


@dataclass(frozen=True, slots=True)
class Origin:
    """The Machine that an image is to be made of, the verb, and the type of the image."""

    machine: str
    verb: str
    type: str


def origin_of(collection: str, document: Document) -> Origin | None:
    """Return what a new image is made of; None for an image that comes from elsewhere.

    ``collection`` is the path that was posted to. Raises Invalid for a type that the verb does not make.
    """
    owner, _, verb = collection.rpartition("/")
    if verb in VERBS:
        return _by_action(owner, verb, document)
    location = document.get(LOCATION, "")
    if not location.startswith("machines/"):
        return None
    wanted = document.get("type", "IMAGE")
    return Origin(location, "capture" if wanted == "IMAGE" else "snapshot", wanted)


def _by_action(machine: str, verb: str, document: Document) -> Origin:
    if document.get(LOCATION, machine) != machine:
        raise Invalid(f"is not the Machine whose {verb} was asked", LOCATION)
    wanted = document.get("type", "IMAGE" if verb == "capture" else "SNAPSHOT")
    if (wanted in KINDS) is not (verb == "snapshot"):
        raise Invalid(f"{verb} does not make a {wanted}", "type")
    return Origin(machine, verb, wanted)
