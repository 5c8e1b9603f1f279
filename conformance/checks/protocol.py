"""Links, formats, headers, operations, delete and errors."""

from __future__ import annotations

from conformance import things
from conformance import vocabulary as words
from conformance.outcomes import NotOffered, expect
from conformance.registry import check
from conformance.wire import kind_of
from conformance.world import ENDED, World

NOWHERE = "no-such-thing-here"


@check("entry-point-is-readable")
def entry_point_is_readable(world: World) -> None:
    expect(kind_of(world.entry_point) == "CloudEntryPoint", f"it says {world.entry_point.get('resourceURI')}")


@check("id-is-a-self-pointer")
def id_is_a_self_pointer(world: World) -> None:
    for entry in world.entries():
        for item in world.listed(world.collection(entry), ("$last", "2"))[:2]:
            found = world.read(str(item["id"]))
            expect(found.get("id") == item["id"], f"GET {item['id']} gave {found.get('id')}")
            expect(kind_of(found) == words.item_type(entry), f"GET {item['id']} gave a {kind_of(found)}")


@check("ids-are-unique")
def ids_are_unique(world: World) -> None:
    seen: dict[str, str] = {}
    for entry in world.entries():
        for item in world.listed(world.collection(entry)):
            uri = str(item.get("id"))
            expect(uri not in seen, f"{uri} stands twice: in {entry} and in {seen.get(uri)}")
            seen[uri] = entry


@check("links-lead-on")
def links_lead_on(world: World) -> None:
    for entry in world.entries():
        document = world.read(world.collection(entry), ("$last", "3"))
        expect(kind_of(document).endswith("Collection"), f"{entry} leads to a {kind_of(document)}")


@check("both-formats")
def both_formats(world: World) -> None:
    for entry in world.entries():
        if entry in ("jobs", "meters", "eventLogs"):
            continue
        url = world.collection(entry)
        here, there = world.read(url), world.other.get(url)
        expect(there.status == 200 and there.document, f"{url} in {world.other.media}: {there.told()}")
        counts = here.get("count"), (there.document or {}).get("count")
        expect(counts[0] == counts[1], f"{url} counts {counts[0]} in {world.media}, {counts[1]} in {world.other.media}")


@check("both-formats-of-a-resource")
def both_formats_of_a_resource(world: World) -> None:
    shown = 0
    for entry in world.entries():
        for item in world.listed(world.collection(entry), ("$last", "1"))[:1]:
            if entry in ("jobs", "meters", "eventLogs"):
                continue
            here, there = world.read(str(item["id"])), world.other.get(str(item["id"])).document or {}
            differing = (set(here) ^ set(there)) - words.JSON_OF_1_0
            expect(not differing, f"{item['id']}: {', '.join(sorted(differing))} in one format only")
            shown += 1
    if not shown:
        raise NotOffered("all collections are empty")


@check("accept-is-honoured")
def accept_is_honoured(world: World) -> None:
    for media in ("application/json", "application/xml"):
        found = world.wire.get("", headers={"Accept": media}, raw=True)
        expect(found.media == media, f"Accept: {media} was answered with {found.media}")


@check("accept-weighs")
def accept_weighs(world: World) -> None:
    for low, high in (("json", "xml"), ("xml", "json")):
        accept = f"application/{low};q=0.2, application/{high};q=0.9"
        found = world.wire.get("", headers={"Accept": accept}, raw=True)
        expect(found.media == f"application/{high}", f"Accept: {accept} was answered with {found.media}")


@check("resource-uri-under-select")
def resource_uri_under_select(world: World) -> None:
    for url in ("", world.collection("jobs") if world.offers("jobs") else ""):
        found = world.read(url, ("$select", "id"))
        expect(found.get("resourceURI"), f"{url or 'the Cloud Entry Point'} with $select=id has no resourceURI")


@check("resource-uri-may-be-left-out")
def resource_uri_may_be_left_out(world: World) -> None:
    found = things.record(world)
    body = b'{"description": "without a type"}'
    answer = world.wire.request("PUT", f"{world.demanded(found, 'edit')}?$select=description", body=body)
    expect(answer.good, f"it was answered {answer.told()}")


@check("resource-uri-of-another-type-is-refused")
def resource_uri_of_another_type_is_refused(world: World) -> None:
    found = things.record(world)
    wrong = "Volume" if kind_of(found) != "Volume" else "Machine"
    answer = world.wire.put(world.demanded(found, "edit"), wrong, {"name": "wrong"}, ("$select", "name"))
    expect(400 <= answer.status < 500, f"a {wrong} for a {kind_of(found)} was answered {answer.told()}")


# Jobs


@check("job-header-leads-to-a-job")
def job_header_leads_to_a_job(world: World) -> None:
    exchange = things.volume_made(world).exchange if world.offers("volumes") else things.created(world).exchange
    if not world.offers("jobs"):
        raise NotOffered("there are no Jobs here")
    expect(exchange.job, f"{exchange.line} has no CIMI-Job-URI")
    expect(kind_of(world.read(str(exchange.job))) == "Job", f"{exchange.job} is no Job")


@check("job-of-a-finished-request-has-ended")
def job_of_a_finished_request_has_ended(world: World) -> None:
    world.collection("jobs")
    found = things.record(world)
    answer = world.wire.put(world.demanded(found, "edit"), kind_of(found), {"name": "done"}, ("$select", "name"))
    if answer.status == 202:
        raise NotOffered("updates are answered 202 here")
    expect(answer.good and answer.job, f"the update was answered {answer.told()}, Job {answer.job}")
    state = world.read(str(answer.job)).get("state")
    expect(state in ENDED, f"after {answer.status} the Job is {state}")


# ETag


def _tagged(world: World) -> tuple[str, str, str]:
    """edit URI, type and ETag of a new resource."""
    found = things.record(world)
    tag = world.wire.get(str(found["id"])).headers.get("etag")
    if not tag:
        raise NotOffered("there are no ETags here")
    return world.demanded(found, "edit"), kind_of(found), tag


def _change(world: World, url: str, kind: str, tag: str, name: str) -> int:
    answer = world.wire.put(url, kind, {"name": name}, ("$select", "name"), headers={"If-Match": tag})
    if answer.good:
        world.finish(answer)
    return answer.status


@check("etag-comes-with-if-match")
def etag_comes_with_if_match(world: World) -> None:
    url, kind, _tag = _tagged(world)
    status = _change(world, url, kind, '"another"', "changed")
    expect(status == 412, f"an If-Match that is another's was answered {status}")


@check("etag-that-matches-lets-pass")
def etag_that_matches_lets_pass(world: World) -> None:
    url, kind, tag = _tagged(world)
    status = _change(world, url, kind, tag, "changed")
    expect(status in (200, 202), f"an If-Match of the right ETag was answered {status}")


@check("etag-changes")
def etag_changes(world: World) -> None:
    url, kind, tag = _tagged(world)
    _change(world, url, kind, tag, "changed")
    expect(world.wire.get(url).headers.get("etag") != tag, "it is the same after a change")


@check("specification-version-unknown")
def specification_version_unknown(world: World) -> None:
    answer = world.wire.get("", headers={"CIMI-Specification-Version": "0.1"})
    expect(answer.status == 400, f"version 0.1 was answered {answer.status}")


@check("head-is-get-without-a-body")
def head_is_get_without_a_body(world: World) -> None:
    got, head = world.wire.get(""), world.wire.request("HEAD", "")
    expect(head.status == got.status, f"HEAD was answered {head.status}, GET {got.status}")
    expect(not head.body, "HEAD has a body")
    for name in ("content-type", "content-length", "etag"):
        expect(
            head.headers.get(name) == got.headers.get(name),
            f"{name}: {head.headers.get(name)}, {got.headers.get(name)}",
        )


# Operations


@check("operations-tell-of-edit")
def operations_tell_of_edit(world: World) -> None:
    found = things.record(world)
    answer = world.wire.put(str(found["id"]), kind_of(found), {"name": "told"}, ("$select", "name"))
    expect(world.operation(found, "edit") or not answer.good, "it can be updated, and does not offer edit")
    expect(world.operation(found, "edit"), "its creator may not update it")


@check("operations-tell-of-delete")
def operations_tell_of_delete(world: World) -> None:
    found = things.record(world)
    href = world.operation(found, "delete")
    expect(href or not world.wire.delete(str(found["id"])).good, "it can be deleted, and does not offer delete")
    expect(href, "its creator may not delete it")


@check("operations-tell-of-add")
def operations_tell_of_add(world: World) -> None:
    silent = [
        world.collection(entry)
        for entry in world.entries()
        if not world.operation(world.read(world.collection(entry), ("$last", "1")), "add")
    ]
    if not silent:
        raise NotOffered("every collection offers add")
    for url in silent:
        answer = world.wire.post(url, "Job", {"name": world.name("refused")})
        expect(400 <= answer.status < 500, f"POST {url} was answered {answer.told()}")


@check("operations-can-be-done")
def operations_can_be_done(world: World) -> None:
    found = things.record(world)
    edit, delete = world.demanded(found, "edit"), world.demanded(found, "delete")
    answer = world.wire.put(edit, kind_of(found), {"name": "done"}, ("$select", "name"))
    expect(answer.good, f"edit was answered {answer.told()}")
    world.finish(answer)
    answer = world.wire.delete(delete)
    expect(answer.good, f"delete was answered {answer.told()}")
    world.finish(answer)


@check("location-leads-to-the-new")
def location_leads_to_the_new(world: World) -> None:
    name = world.name("located")
    url = world.collection("machineConfigs")
    made = world.make(url, "MachineConfiguration", {"name": name, "cpu": 1, "memory": things.MEMORY})
    expect(made.exchange.location, "there is no Location")
    expect(world.read(str(made.exchange.location)).get("name") == name, "something else is there")


# Delete


@check("deleted-is-gone")
def deleted_is_gone(world: World) -> None:
    found = things.record(world)
    world.removed(str(found["id"]))
    answer = world.wire.get(str(found["id"]))
    expect(answer.status in (404, 410), f"it can still be read: {answer.status}")


@check("deleted-leaves-its-collection")
def deleted_leaves_its_collection(world: World) -> None:
    kept, gone = things.record(world), things.record(world)
    entry = next(name for name in world.entries() if words.item_type(name) == kind_of(gone))
    before = world.read(world.collection(entry))["count"]
    world.removed(str(gone["id"]))
    ids = [item.get("id") for item in world.everything(world.collection(entry))]
    after = world.read(world.collection(entry))["count"]
    expect(gone["id"] not in ids, f"{gone['id']} is still listed")
    expect(kept["id"] in ids, f"{kept['id']} went too")
    expect(after == before - 1, f"count was {before} and is {after}")


@check("delete-of-nothing")
def delete_of_nothing(world: World) -> None:
    found = things.record(world)
    world.removed(str(found["id"]))
    answer = world.wire.delete(str(found["id"]))
    expect(400 <= answer.status < 500, f"a second delete was answered {answer.status}")


# Errors


@check("error-job-has-an-empty-id")
def error_job_has_an_empty_id(world: World) -> None:
    answer = world.wire.get(f"{world.collection('machines')}/{NOWHERE}")
    document = answer.document or {}
    expect(kind_of(document) == "Job", f"the error is a {kind_of(document) or 'something else'}")
    identity = document.get("id")
    if identity:
        expect(kind_of(world.read(str(identity))) == "Job", f"{identity} cannot be read")
    else:
        expect(identity == "", "the Job has no id at all")


@check("error-without-credentials")
def error_without_credentials(world: World) -> None:
    answer = world.anonymous().get("")
    if answer.good:
        raise NotOffered("no credentials are wanted for reading the Cloud Entry Point")
    expect(answer.status == 401, f"it was answered {answer.status}")
    expect(answer.headers.get("www-authenticate"), "there is no WWW-Authenticate")


@check("error-no-such-resource")
def error_no_such_resource(world: World) -> None:
    answer = world.wire.get(f"{world.collection('machines')}/{NOWHERE}")
    expect(answer.status == 404, f"it was answered {answer.status}")


@check("error-method-not-allowed")
def error_method_not_allowed(world: World) -> None:
    for method in ("PUT", "PATCH"):
        answer = world.wire.request(
            method, world.collection("machines"), kind="Machine", content={"name": "x"}, raw=True
        )
        expect(answer.status in (405, 501), f"{method} of a collection was answered {answer.status}")
        expect(answer.status == 501 or answer.headers.get("allow"), f"{method}: there is no Allow")


@check("error-malformed-body")
def error_malformed_body(world: World) -> None:
    url = world.demanded(world.read(world.collection("machines"), ("$last", "1")), "add")
    for body in (b"{", b"<MachineCreate", b"", b'["a list"]'):
        answer = world.wire.request("POST", url, body=body)
        expect(400 <= answer.status < 500, f"the body {body.decode()!r} was answered {answer.told()}")


@check("error-wrong-value")
def error_wrong_value(world: World) -> None:
    answer = world.add(
        world.collection("machineConfigs"),
        "MachineConfiguration",
        {"name": world.name("x"), "cpu": "several", "memory": 1},
    )
    expect(400 <= answer.status < 500, f"cpu 'several' was answered {answer.told()}")


@check("error-unsupported-media-type")
def error_unsupported_media_type(world: World) -> None:
    url = world.demanded(world.read(world.collection("machines"), ("$last", "1")), "add")
    answer = world.wire.request("POST", url, body=b"name: x", headers={"Content-Type": "application/yaml"})
    expect(answer.status == 415, f"YAML was answered {answer.status}")


@check("error-dangling-reference")
def error_dangling_reference(world: World) -> None:
    content = {"name": world.name("x"), "machineTemplate": {"href": f"{world.collection('machines')}/{NOWHERE}"}}
    answer = world.add(world.collection("machines"), "MachineCreate", content)
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")
