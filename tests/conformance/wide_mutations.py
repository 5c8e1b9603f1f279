"""Servers that are wrong in one way everywhere: a kind of request that does nothing, an attribute that is never there.

Which checks have to find one stands in ``found_by.toml``, by its name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conformance.mutating import Change, each, header, only, text, unseen, without, without_header
from tests.conformance.proxy import Answered, Asked, Document, Mutation

NAMESPACE = "http://schemas.dmtf.org/cimi/1"
ACTIONS = ("start", "stop", "restart", "pause", "suspend", "restore", "import", "export")
LONG = 1.5
"""Seconds for what waits for states that never come."""
Request = Callable[[Asked], None]
Response = Callable[[Asked, Answered], None]


# Requests that do nothing, or too much


def _nothing_is_refused(asked: Asked, answered: Answered) -> None:
    if asked.method != "GET" and 400 <= answered.status < 500 and answered.status != 401:
        answered.status = 200


def _everything_fails(asked: Asked, answered: Answered) -> None:
    if asked.method != "GET" and 400 <= answered.status < 500 and answered.status != 401:
        answered.status = 500


def idle(*methods: str, ending: tuple[str, ...] = ("",), status: int = 200) -> Callable[[Asked], Answered | None]:
    """Such requests are answered, and nothing is done."""
    return lambda asked: Answered(status) if asked.method in methods and asked.path.endswith(ending) else None


def refused(*names: str) -> Callable[[Asked], Answered | None]:
    """Requests with such a query parameter."""
    return lambda asked: Answered(400) if any(name in names for name, _value in asked.query) else None


# Answers that lack something, or have too much


def lacks(kind: str, *names: str) -> Response:
    return only(kind, lambda found: [found.pop(name, None) for name in names])


def says(kind: str, **values: Any) -> Response:
    return only(kind, lambda found: found.update({name: value for name, value in values.items() if name in found}))


def has(kind: str, **values: Any) -> Response:
    return only(kind, lambda found: found.update(values))


def parts(name: str, change: Change) -> Response:
    """Of ResourceMetadata."""
    return only("ResourceMetadata", lambda found: [change(part) for part in found.get(name, [])])


def _unannounced(found: Document) -> None:
    if "count" not in found:
        found["realm"] = "north"


def _lists(document: Document) -> list[tuple[str, list[Document]]]:
    if "count" not in document:
        return []
    return [(name, value) for name, value in document.items() if isinstance(value, list) and name != "operations"]


def _overlooks_the_last(_asked: Asked, answered: Answered) -> None:
    document = answered.document
    for name, items in _lists(document or {}):
        assert document is not None
        document[name] = items[:-1]
        document["count"] -= 1
        answered.say(document)


def _arrays_turned_round(found: Document) -> None:
    for name, value in found.items():
        if isinstance(value, list) and name not in ("operations",) and "count" not in found:
            found[name] = value[::-1]


def _later(found: Document) -> None:
    if "updated" in found:
        found["updated"] = "2199-01-01T00:00:00Z"


def _operations_without(member: str) -> Change:
    return lambda found: [entry.pop(member, None) for entry in found.get("operations", [])]


def _capability(name: str, value: Any) -> Response:
    def change(part: Document) -> None:
        if part.get("name") == name or str(part.get("uri", "")).endswith(f"/{name}"):
            part["value"] = value

    return parts("capabilities", change)


def _offers(verb: str) -> Change:
    def change(found: Document) -> None:
        if "count" not in found and "id" in found:
            entry = {"rel": f"{NAMESPACE}/action/{verb}", "href": f"{found['id']}/{verb}"}
            found["operations"] = [*found.get("operations", []), entry]

    return change


class _FirstLook:
    """Who looks at a Machine first after an action is told a state that is none of the standard's."""

    def __init__(self) -> None:
        self._acted = ""

    def __call__(self, asked: Asked, answered: Answered) -> None:
        owner, _, verb = asked.path.rpartition("/")
        if asked.method == "POST" and verb in ACTIONS:
            self._acted = owner
        elif asked.path == self._acted:
            self._acted = ""
            says("Machine", state="BUSY")(asked, answered)


class _AfterExport:
    """Once something was exported, what is STOPPED is shown as SUSPENDED."""

    def __init__(self) -> None:
        self.exported = False

    def __call__(self, asked: Asked, answered: Answered) -> None:
        if asked.path.endswith("/export"):
            self.exported = True
        elif self.exported:
            text('"STOPPED"', '"SUSPENDED"')(asked, answered)


def _silent_errors(_asked: Asked, answered: Answered) -> None:
    document = answered.document
    if answered.status >= 400 and document:
        document.pop("statusMessage", None)
        answered.say(document)


def puts(mutate: Request) -> Request:
    return lambda asked: mutate(asked) if asked.method == "PUT" else None


def _wide(name: str, *, seconds: float = LONG, **how: Any) -> Mutation:
    return Mutation(name, FOUND_BY[name]["checks"], drive=FOUND_BY[name]["drive"], seconds=seconds, **how)


def _read() -> dict[str, dict[str, tuple[str, ...]]]:
    known = tomllib.loads((Path(__file__).parent / "found_by.toml").read_text(encoding="utf-8"))
    return {
        name: {"checks": tuple(given["checks"]), "drive": tuple(given.get("drive", ()))}
        for name, given in known.items()
    }


FOUND_BY = _read()
WIDE = (
    _wide("nothing is refused", response=_nothing_is_refused),
    _wide("everything wrong is a failure of the server", response=_everything_fails),
    _wide("edits do nothing", refuse=idle("PUT")),
    _wide("actions do nothing", refuse=idle("POST", ending=tuple(f"/{verb}" for verb in ACTIONS), status=202)),
    _wide("deletes do nothing", refuse=idle("DELETE")),
    _wide("networks are forgotten", request=unseen("networks", "networkInterfaces")),
    _wide(
        "no query parameter is known",
        request=without("$filter", "$select", "$expand", "$orderby", "$first", "$last", "$format"),
    ),
    _wide("$select of an update is ignored", request=puts(lambda asked: asked.drop("$select"))),
    _wide("$select is refused", refuse=refused("$select")),
    _wide("$expand is refused", refuse=refused("$expand")),
    _wide("CIMI-Specification-Version is ignored", request=without_header("cimi-specification-version")),
    _wide("attributes that nobody announced everywhere", response=each(_unannounced)),
    _wide("the last item is overlooked", response=_overlooks_the_last),
    _wide("arrays are turned round", response=each(_arrays_turned_round)),
    _wide("updated is always now", response=each(_later)),
    _wide("no id", response=each(lambda found: found.pop("id", None))),
    _wide("no names", response=each(lambda found: found.pop("name", None))),
    _wide("no states", response=each(lambda found: found.pop("state", None))),
    _wide("no types", response=each(lambda found: found.pop("type", None))),
    _wide("no references to networks", response=each(lambda found: found.pop("network", None))),
    _wide("no capacities", response=each(lambda found: found.pop("capacity", None))),
    _wide("operations without an href", response=each(_operations_without("href"))),
    _wide("stop is always offered", response=each(_offers("stop"))),
    _wide("states of its own on the way", response=_FirstLook()),
    _wide("what is STARTED is an ERROR", response=text('"STARTED"', '"ERROR"')),
    _wide("what is STOPPED is SUSPENDED", response=text('"STOPPED"', '"SUSPENDED"')),
    _wide("no Location at all", response=header("location")),
    _wide("no version told", response=header("cimi-specification-version")),
    _wide("Jobs of another target", response=says("Job", targetResource={"href": "http://localhost/nothing"})),
    _wide("Jobs with a return code of HTTP", response=says("Job", returnCode=400)),
    _wide("Jobs without a time", response=lacks("Job", "timeOfStatusChange")),
    _wide("Jobs whose nested ones have no parent", response=lacks("Job", "parentJob")),
    _wide("metadata of another type", response=says("ResourceMetadata", typeURI=f"{NAMESPACE}/Nothing")),
    _wide("metadata whose attributes have no name", response=parts("attributes", lambda part: part.pop("name", None))),
    _wide(
        "metadata whose attributes have a namespace",
        response=parts("attributes", lambda part: part.update(namespace=NAMESPACE)),
    ),
    _wide(
        "metadata whose capabilities are all one",
        response=parts("capabilities", lambda part: part.update(uri=f"{NAMESPACE}/capability/x")),
    ),
    _wide("metadata whose actions have no method", response=parts("actions", lambda part: part.pop("method", None))),
    _wide("a DefaultInitialState that is none", response=_capability("DefaultInitialState", "STARTING")),
    _wide("a JobRetention in words", response=_capability("JobRetention", "for ever")),
    _wide("a UserData of its own", response=_capability("UserData", "pigeon")),
    _wide(
        "templates not by value",
        response=parts(
            "capabilities",
            lambda part: (
                part.update(value=False)
                if str(part.get("uri", "")).endswith(("MachineTemplateByValue", "VolumeTemplateByValue"))
                else 0
            ),
        ),
    ),
    _wide("a base of its own", response=says("CloudEntryPoint", baseURI="/cimi")),
    _wide(
        "images that tell where they come from",
        response=has(
            "MachineImage",
            imageLocation="http://host/cimi/machines/1",
            relatedImage={"href": "http://host/cimi/machineImages/1"},
        ),
    ),
    _wide("no snapshots are told", response=lacks("Machine", "snapshots", "latestSnapshot")),
    _wide("addresses without surroundings", response=lacks("Address", "protocol", "mask")),
    _wide("meters of another aspect", response=says("Meter", aspect="cpu")),
    _wide("meters of another scope", response=says("Meter", timeScope="Sometimes")),
    _wide("logs of nobody", response=lacks("EventLog", "targetResource")),
    _wide("events of another outcome", response=says("Event", outcome="Maybe")),
    _wide("events of another severity", response=says("Event", severity="grave")),
    _wide("events without content", response=lacks("Event", "content")),
    _wide(
        "booleans are words",
        response=each(lambda found: found.update(isContinuous="yes") if "isContinuous" in found else 0),
    ),
    _wide("names are numbers", response=each(lambda found: found.update(name=7) if "name" in found else 0)),
    _wide("properties are of numbers", response=each(lambda found: found.update(properties={"a": 1}))),
    _wide(
        "properties are empty", response=each(lambda found: found.update(properties={}) if "count" not in found else 0)
    ),
    _wide(
        "URIs with blanks", response=each(lambda found: found.update(id=f"{found['id']} ") if found.get("id") else 0)
    ),
    _wide(
        "durations in seconds", response=each(lambda found: found.update(sampleInterval="10", intervalDuration="10"))
    ),
    _wide(
        "attributes with dashes",
        response=each(lambda found: found.update({"my-own": "x"}) if "count" not in found else 0),
    ),
    _wide("templates that forget their package", response=lacks("SystemTemplate", "importImage")),
    _wide("templates that describe nothing", response=lacks("SystemTemplate", "componentDescriptors")),
    _wide("an import by another rel", response=text(f"{NAMESPACE}/action/import", "import")),
    _wide("an export by another rel", response=text(f"{NAMESPACE}/action/export", "http://example.com/export")),
    _wide(
        "packages of another type",
        response=lambda asked, answered: (
            answered.headers.update({"content-type": "application/x-tar"}) if asked.path.endswith("/package") else None
        ),
    ),
    _wide("an export that suspends", response=_AfterExport()),
    _wide(
        "a format by its name is refused",
        refuse=lambda asked: (
            Answered(400) if asked.path.endswith("/export") and b"application/ovf" in asked.body else None
        ),
    ),
    _wide("a pause that does nothing", refuse=idle("POST", ending=("/pause", "/suspend"), status=202)),
    _wide("a stop that is told and not done", refuse=idle("POST", ending=("/stop",), status=202)),
    _wide("errors without words", response=_silent_errors),
    _wide("XML of a media type of its own", media="xml", response=header("content-type", "application/x-cimi")),
    _wide(
        "deletes that are created",
        response=lambda asked, answered: (
            setattr(answered, "status", 201) if asked.method == "DELETE" and answered.status < 300 else None
        ),
    ),
    _wide(
        "actions are done at once",
        response=lambda asked, answered: setattr(answered, "status", 200) if answered.status == 202 else None,
    ),
)
