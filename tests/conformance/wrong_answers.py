"""Servers whose answers break the standard, each with the checks that have to find it."""

from __future__ import annotations

import re

from tests.conformance.mutating import each, header, only, text
from tests.conformance.proxy import Answered, Asked, Document, Mutation

LOOK = ("links-lead-on", "both-formats-of-a-resource")
"""Checks that read something of everything."""


def _count(document: Document) -> None:
    if "count" in document:
        document["count"] += 1


def _count_of_the_page(document: Document) -> None:
    lists = [value for value in document.values() if isinstance(value, list) and value and "id" in value[0]]
    if "count" in document and lists:
        document["count"] = len(lists[0])


def _never_ends(document: Document) -> None:
    document.update(state="RUNNING", progress=10)


def _relative(document: Document) -> None:
    if "id" in document and "count" not in document:
        document["id"] = "/" + str(document["id"]).split("/", 3)[3]


def _no_delete(document: Document) -> None:
    document["operations"] = [entry for entry in document.get("operations", []) if entry["rel"] != "delete"]
    if not document["operations"]:
        del document["operations"]


def _no_operations(document: Document) -> None:
    if "count" not in document:
        document.pop("operations", None)


def _lying(document: Document) -> None:
    for entry in document.get("operations", []):
        if entry["rel"] in ("edit", "delete"):
            entry["href"] = entry["href"] + "/elsewhere"


def _start_when_started(document: Document) -> None:
    if document.get("state") == "STARTED":
        start = {"rel": "http://schemas.dmtf.org/cimi/1/action/start", "href": f"{document['id']}/start"}
        document["operations"] = [*document.get("operations", []), start]


def _forgets_the_new(document: Document) -> None:
    if document.get("action") == "add":
        document["affectedResources"] = document.get("affectedResources", [])[:1]


def _strings(document: Document) -> None:
    for name in ("cpu", "memory", "capacity"):
        if name in document:
            document[name] = str(document[name])


def _reversed_xml(_asked: Asked, answered: Answered) -> None:
    """name before id."""
    answered.body = re.sub(rb"(<id>[^<]*</id>)(<name>[^<]*</name>)", rb"\2\1", answered.body)


def _wrapped(_asked: Asked, answered: Answered) -> None:
    """Items of a collection in an element, as CIMI 2.0.0 has them."""
    found = re.fullmatch(rb"(.*<count>\d+</count>)(<Mach.*</Mach\w+>)(.*</Collection>)", answered.body, re.DOTALL)
    if found:
        answered.body = found[1] + b"<machines>" + found[2] + b"</machines>" + found[3]


def _own_namespace(_asked: Asked, answered: Answered) -> None:
    """Extensions in the standard's namespace."""
    answered.body = answered.body.replace(b'http://cimi-gateway.org/ns/1"', b'http://schemas.dmtf.org/cimi/1"')


def _no_document(_asked: Asked, answered: Answered) -> None:
    if answered.status >= 400:
        answered.say({"error": "something went wrong"})
        answered.headers["content-type"] = "application/json"


def _not_failed(_asked: Asked, answered: Answered) -> None:
    document = answered.document
    if answered.status >= 400 and document:
        answered.say({**document, "state": "SUCCESS"})


def _error_with_id(_asked: Asked, answered: Answered) -> None:
    document = answered.document
    if answered.status >= 400 and document:
        answered.say({name: value for name, value in document.items() if name != "id"})


def _broken_server(_asked: Asked, answered: Answered) -> None:
    if answered.status == 400:
        answered.status = 500


def _connects_again(asked: Asked, answered: Answered) -> None:
    if asked.method == "POST" and asked.path.endswith("/volumes") and answered.status == 200:
        answered.status = 201


def _ok(asked: Asked, answered: Answered) -> None:
    if answered.status == 201:
        answered.status = 200


def _moved(asked: Asked, answered: Answered) -> None:
    if answered.status == 201 and "location" in answered.headers:
        answered.headers["location"] += "0"


WRONG_ANSWERS = (
    Mutation(
        "XML in another namespace",
        ("xml-namespace",),
        drive=LOOK,
        media="xml",
        response=text('xmlns="http://schemas.dmtf.org/cimi/1"', 'xmlns="http://schemas.dmtf.org/cimi/9"'),
    ),
    Mutation(
        "XML out of order",
        ("elements-are-in-order", "machine-configuration-representation"),
        drive=LOOK,
        media="xml",
        response=_reversed_xml,
    ),
    Mutation("items in a wrapper", ("collection-counts-its-items",), media="xml", response=_wrapped),
    Mutation(
        "extensions in the standard's namespace",
        ("extensions-are-foreign-in-xml", "network-representation"),
        drive=LOOK,
        media="xml",
        response=_own_namespace,
    ),
    Mutation("no Location", ("created-has-a-location",), drive=("create-names-the-new",), response=header("location")),
    Mutation(
        "a Location that leads nowhere", ("location-leads-to-the-new", "created-body-is-the-new"), response=_moved
    ),
    Mutation("200 for a create", ("create-is-201-or-202",), drive=("create-names-the-new",), response=_ok),
    Mutation("a wrong count", ("collection-counts-its-items", "filter-count"), response=each(_count)),
    Mutation("count of the page", ("page-leaves-count",), response=each(_count_of_the_page)),
    Mutation("no operation delete", ("operations-tell-of-delete",), response=each(_no_delete)),
    Mutation("no operations", ("operations-tell-of-edit",), response=each(_no_operations)),
    Mutation("operations whose href is wrong", ("operations-can-be-done",), response=each(_lying)),
    Mutation(
        "an operation that cannot be done",
        ("machine-operations-when-started",),
        response=only("Machine", _start_when_started),
    ),
    Mutation(
        "no resourceURI",
        ("resource-uri-at-the-root", "collection-is-of-its-type"),
        drive=LOOK,
        response=each(lambda found: found.pop("resourceURI", None)),
    ),
    Mutation(
        "a resourceURI of nobody",
        ("resource-uri-is-the-types", "resource-uri-fits-the-metadata"),
        drive=LOOK,
        response=only(
            "MachineConfiguration", lambda found: found.update(resourceURI="http://example.com/MachineConfiguration")
        ),
    ),
    Mutation(
        "resourceURI lost by $select",
        ("resource-uri-under-select",),
        response=lambda asked, answered: (
            each(lambda found: found.pop("resourceURI", None))(asked, answered) if asked.query else None
        ),
    ),
    Mutation("ids without a host", ("uris-can-be-resolved",), drive=LOOK, response=each(_relative)),
    Mutation("ids of other resources", ("id-is-a-self-pointer",), response=text("/machineConfigs/", "/volumeConfigs/")),
    Mutation(
        "no CIMI-Job-URI",
        ("job-header-after-create", "job-header-after-update", "job-header-after-delete", "job-header-leads-to-a-job"),
        drive=("update-replaces", "deleted-is-gone"),
        response=header("cimi-job-uri"),
    ),
    Mutation(
        "no CIMI-Job-URI after actions",
        ("job-header-after-action",),
        drive=("network-stop",),
        response=lambda asked, answered: answered.drop("cimi-job-uri") if asked.path.endswith("/stop") else None,
    ),
    Mutation(
        "a CIMI-Job-URI without a host",
        ("job-header-is-absolute",),
        drive=("update-replaces",),
        response=header("cimi-job-uri", "jobs/1"),
    ),
    Mutation(
        "a Job that never ends",
        ("job-every-one-ends", "job-of-a-finished-request-has-ended"),
        seconds=0.5,
        response=only("Job", _never_ends),
    ),
    Mutation(
        "a finished Job with a progress of 10",
        ("job-progress",),
        drive=("job-is-listed",),
        response=only("Job", lambda found: found.update(progress=10)),
    ),
    Mutation(
        "a Job that forgets what it made",
        ("job-affected-have-the-new", "machine-create-job"),
        response=only("Job", _forgets_the_new),
    ),
    Mutation(
        "a Job without a target",
        ("job-has-a-target",),
        drive=("job-is-listed",),
        response=only("Job", lambda found: found.pop("targetResource", None)),
    ),
    Mutation(
        "a media type of its own",
        ("json-media-type",),
        drive=("entry-point-is-readable",),
        response=header("content-type", "application/vnd.cimi+json"),
    ),
    Mutation(
        "no Content-Length that fits",
        ("body-is-wellformed",),
        drive=("entry-point-is-readable",),
        response=lambda _asked, answered: setattr(answered, "body", answered.body[:-1]),
    ),
    Mutation(
        "errors that are no Jobs",
        ("error-is-a-job", "error-job-has-an-empty-id"),
        drive=("error-no-such-resource",),
        response=_no_document,
    ),
    Mutation(
        "errors that are a SUCCESS",
        ("error-says-that-it-failed",),
        drive=("error-no-such-resource",),
        response=_not_failed,
    ),
    Mutation("errors whose Job has no id", ("error-job-has-an-empty-id",), response=_error_with_id),
    Mutation(
        "500 for what is wrong", ("error-malformed-body", "unknown-attribute-in-a-create"), response=_broken_server
    ),
    Mutation("401 without WWW-Authenticate", ("error-without-credentials",), response=header("www-authenticate")),
    Mutation("405 without Allow", ("error-method-not-allowed",), response=header("allow")),
    Mutation("a Volume is connected twice", ("machine-volume-not-shared",), response=_connects_again),
    Mutation(
        "nulls are shown",
        ("null-is-not-shown",),
        drive=LOOK,
        response=each(lambda found: found.setdefault("description", None)),
    ),
    Mutation(
        "empty lists are shown",
        ("empty-array-is-omitted", "collection-omits-no-items"),
        drive=LOOK,
        response=each(lambda found: found.setdefault("machineConfigurations", [])),
    ),
    Mutation(
        "empty strings are shown",
        ("empty-string-is-omitted",),
        drive=LOOK,
        response=each(lambda found: found.setdefault("description", "")),
    ),
    Mutation(
        "integers are strings",
        ("type-integer", "machine-has-cpu-and-memory", "machine-configuration-representation"),
        drive=LOOK,
        response=each(_strings),
    ),
    Mutation(
        "references are strings",
        ("type-reference", "machine-collections-can-be-read"),
        drive=("minimal-machine",),
        response=only("Machine", lambda found: found.update(disks=found["disks"]["href"]) if "disks" in found else 0),
    ),
    Mutation(
        "dates without a time",
        ("type-datetime",),
        drive=LOOK,
        response=each(lambda found: found.update(created="2026-01-01") if "created" in found else 0),
    ),
    Mutation(
        "attributes that nobody announced",
        ("extensions-are-announced", "machine-representation"),
        drive=("minimal-machine",),
        response=only("Machine", lambda found: found.update(realm="north")),
    ),
    Mutation(
        "properties of the provider's own",
        ("properties-are-the-consumers",),
        response=each(lambda found: found.setdefault("properties", {}).update(zone="a")),
    ),
    Mutation(
        "passwords are shown",
        ("secrets-are-kept",),
        drive=("credential-create",),
        response=only("Credential", lambda found: found.update(password="secret")),
    ),
    Mutation(
        "updated never changes",
        ("common-updated-by-an-update",),
        response=each(lambda found: found.update(updated=found["created"]) if "created" in found else 0),
    ),
    Mutation(
        "a state of its own",
        ("state-is-of-the-standard",),
        drive=("volume-create",),
        response=only("Volume", lambda found: found.update(state="IN-USE")),
    ),
    Mutation(
        "no cpu",
        ("machine-has-cpu-and-memory", "minimal-machine"),
        response=only("Machine", lambda found: found.pop("cpu", None)),
    ),
    Mutation(
        "a rel that is no URI",
        ("operation-of-a-provider-is-absolute",),
        drive=("minimal-machine",),
        response=text("http://schemas.dmtf.org/cimi/1/action/start", "start"),
    ),
    Mutation(
        "actions that the metadata does not know",
        ("metadata-has-every-action",),
        drive=("volume-create",),
        response=only("Volume", lambda found: found.get("operations", [{}])[-1].update(rel="http://example.com/sing")),
    ),
    Mutation(
        "capabilities without a uri",
        ("metadata-capabilities",),
        response=only("ResourceMetadata", lambda found: [part.pop("uri") for part in found.get("capabilities", [])]),
    ),
    Mutation(
        "events without a timestamp",
        ("event-has-time-and-type",),
        response=only("Event", lambda found: found.pop("timestamp", None)),
    ),
    Mutation(
        "meters of nobody",
        ("meter-create", "meter-from-the-targets-collection"),
        response=only("Meter", lambda found: found.pop("targetResource", None)),
    ),
)
