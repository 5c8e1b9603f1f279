"""What a new MachineImage that names a Machine asks for: the URI decides, else its type (DSP0263 5.14.7.2)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import Invalid
from gateway.orchestration.machine_core.chain import KINDS
from gateway.store.model import Document

LOCATION = "imageLocation"
VERBS = ("capture", "snapshot")


@dataclass(frozen=True, slots=True)
class Origin:
    """The Machine, the verb, and the type of the image which is to come."""

    machine: str
    verb: str
    type: str


def origin_of(collection: str, document: Document) -> Origin | None:
    """``collection`` is the path that was posted to. None for an image that comes from elsewhere."""
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
