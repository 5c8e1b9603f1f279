"""Links, formats, headers, operations, delete and errors."""

from __future__ import annotations

from conformance import fixtures
from conformance import vocabulary as words
from conformance.outcomes import NotOffered, expect
from conformance.provider import ENDED, Provider
from conformance.registry import check
from conformance.wire import Request, kind_of

NOWHERE = "no-such-thing-here"


@check("entry-point-is-readable")
def entry_point_is_readable(provider: Provider) -> None:
    expect(kind_of(provider.entry_point) == "CloudEntryPoint", f"it says {provider.entry_point.get('resourceURI')}")


@check("id-is-a-self-pointer")
def id_is_a_self_pointer(provider: Provider) -> None:
    for entry in provider.entries():
        for item in provider.items_at(provider.collection(entry), ("$last", "2"))[:2]:
            resource = provider.read(str(item["id"]))
            expect(resource.get("id") == item["id"], f"GET {item['id']} gave {resource.get('id')}")
            expect(kind_of(resource) == words.item_type(entry), f"GET {item['id']} gave a {kind_of(resource)}")


@check("ids-are-unique")
def ids_are_unique(provider: Provider) -> None:
    seen: dict[str, str] = {}
    for entry in provider.entries():
        for item in provider.items_at(provider.collection(entry)):
            uri = str(item.get("id"))
            expect(uri not in seen, f"{uri} stands twice: in {entry} and in {seen.get(uri)}")
            seen[uri] = entry


@check("links-lead-on")
def links_lead_on(provider: Provider) -> None:
    for entry in provider.entries():
        document = provider.read(provider.collection(entry), ("$last", "3"))
        expect(kind_of(document).endswith("Collection"), f"{entry} leads to a {kind_of(document)}")


@check("both-formats")
def both_formats(provider: Provider) -> None:
    for entry in provider.entries():
        if entry in ("jobs", "meters", "eventLogs"):
            continue
        url = provider.collection(entry)
        here, there = provider.read(url), provider.other_wire.get(url)
        expect(there.status == 200 and there.document, f"{url} in {provider.other_wire.media}: {there.summary}")
        counts = here.get("count"), (there.document or {}).get("count")
        expect(
            counts[0] == counts[1],
            f"{url} counts {counts[0]} in {provider.media}, {counts[1]} in {provider.other_wire.media}",
        )


@check("both-formats-of-a-resource")
def both_formats_of_a_resource(provider: Provider) -> None:
    compared = 0
    for entry in provider.entries():
        for item in provider.items_at(provider.collection(entry), ("$last", "1"))[:1]:
            if entry in ("jobs", "meters", "eventLogs"):
                continue
            here, there = provider.read(str(item["id"])), provider.other_wire.get(str(item["id"])).document or {}
            differing = (set(here) ^ set(there)) - words.JSON_OF_1_0
            expect(not differing, f"{item['id']}: {', '.join(sorted(differing))} in one format only")
            compared += 1
    if not compared:
        raise NotOffered("all collections are empty")


@check("accept-is-honoured")
def accept_is_honoured(provider: Provider) -> None:
    for media in ("application/json", "application/xml"):
        answer = provider.wire.get("", headers={"Accept": media}, raw=True)
        expect(answer.media == media, f"Accept: {media} was answered with {answer.media}")


@check("accept-weighs")
def accept_weighs(provider: Provider) -> None:
    for low, high in (("json", "xml"), ("xml", "json")):
        accept = f"application/{low};q=0.2, application/{high};q=0.9"
        answer = provider.wire.get("", headers={"Accept": accept}, raw=True)
        expect(answer.media == f"application/{high}", f"Accept: {accept} was answered with {answer.media}")


@check("resource-uri-under-select")
def resource_uri_under_select(provider: Provider) -> None:
    for url in ("", provider.collection("jobs") if provider.offers("jobs") else ""):
        document = provider.read(url, ("$select", "id"))
        expect(document.get("resourceURI"), f"{url or 'the Cloud Entry Point'} with $select=id has no resourceURI")


@check("resource-uri-may-be-left-out")
def resource_uri_may_be_left_out(provider: Provider) -> None:
    resource = fixtures.cheap_resource(provider)
    body = b'{"description": "without a type"}'
    answer = provider.wire.send(
        Request(method="PUT", url=f"{provider.demand_operation(resource, 'edit')}?$select=description", body=body)
    )
    expect(answer.good, f"it was answered {answer.summary}")


@check("resource-uri-of-another-type-is-refused")
def resource_uri_of_another_type_is_refused(provider: Provider) -> None:
    resource = fixtures.cheap_resource(provider)
    wrong = "Volume" if kind_of(resource) != "Volume" else "Machine"
    answer = provider.wire.put(
        provider.demand_operation(resource, "edit"), wrong, {"name": "wrong"}, ("$select", "name")
    )
    expect(400 <= answer.status < 500, f"a {wrong} for a {kind_of(resource)} was answered {answer.summary}")


# Jobs


@check("job-header-leads-to-a-job")
def job_header_leads_to_a_job(provider: Provider) -> None:
    exchange = (
        fixtures.volume_made(provider).exchange
        if provider.offers("volumes")
        else fixtures.machine_made(provider).exchange
    )
    if not provider.offers("jobs"):
        raise NotOffered("there are no Jobs here")
    expect(exchange.job, f"{exchange.line} has no CIMI-Job-URI")
    expect(kind_of(provider.read(str(exchange.job))) == "Job", f"{exchange.job} is no Job")


@check("job-of-a-finished-request-has-ended")
def job_of_a_finished_request_has_ended(provider: Provider) -> None:
    provider.collection("jobs")
    resource = fixtures.cheap_resource(provider)
    answer = provider.wire.put(
        provider.demand_operation(resource, "edit"), kind_of(resource), {"name": "done"}, ("$select", "name")
    )
    if answer.status == 202:
        raise NotOffered("updates are answered 202 here")
    expect(answer.good and answer.job, f"the update was answered {answer.summary}, Job {answer.job}")
    state = provider.read(str(answer.job)).get("state")
    expect(state in ENDED, f"after {answer.status} the Job is {state}")


# ETag


def _tagged(provider: Provider) -> tuple[str, str, str]:
    """edit URI, type and ETag of a new resource."""
    resource = fixtures.cheap_resource(provider)
    tag = provider.wire.get(str(resource["id"])).headers.get("etag")
    if not tag:
        raise NotOffered("there are no ETags here")
    return provider.demand_operation(resource, "edit"), kind_of(resource), tag


def _change(provider: Provider, url: str, kind: str, tag: str, name: str) -> int:
    answer = provider.wire.put(url, kind, {"name": name}, ("$select", "name"), headers={"If-Match": tag})
    if answer.good:
        provider.finish(answer)
    return answer.status


@check("etag-comes-with-if-match")
def etag_comes_with_if_match(provider: Provider) -> None:
    url, kind, _tag = _tagged(provider)
    status = _change(provider, url, kind, '"another"', "changed")
    expect(status == 412, f"an If-Match that is another's was answered {status}")


@check("etag-that-matches-lets-pass")
def etag_that_matches_lets_pass(provider: Provider) -> None:
    url, kind, tag = _tagged(provider)
    status = _change(provider, url, kind, tag, "changed")
    expect(status in (200, 202), f"an If-Match of the right ETag was answered {status}")


@check("etag-changes")
def etag_changes(provider: Provider) -> None:
    url, kind, tag = _tagged(provider)
    _change(provider, url, kind, tag, "changed")
    expect(provider.wire.get(url).headers.get("etag") != tag, "it is the same after a change")


@check("specification-version-unknown")
def specification_version_unknown(provider: Provider) -> None:
    answer = provider.wire.get("", headers={"CIMI-Specification-Version": "0.1"})
    expect(answer.status == 400, f"version 0.1 was answered {answer.status}")


@check("head-is-get-without-a-body")
def head_is_get_without_a_body(provider: Provider) -> None:
    got, head = provider.wire.get(""), provider.wire.send(Request(method="HEAD", url=""))
    expect(head.status == got.status, f"HEAD was answered {head.status}, GET {got.status}")
    expect(not head.body, "HEAD has a body")
    for name in ("content-type", "content-length", "etag"):
        expect(
            head.headers.get(name) == got.headers.get(name),
            f"{name}: {head.headers.get(name)}, {got.headers.get(name)}",
        )


# Operations


@check("operations-tell-of-edit")
def operations_tell_of_edit(provider: Provider) -> None:
    resource = fixtures.cheap_resource(provider)
    answer = provider.wire.put(str(resource["id"]), kind_of(resource), {"name": "told"}, ("$select", "name"))
    expect(provider.operation(resource, "edit") or not answer.good, "it can be updated, and does not offer edit")
    expect(provider.operation(resource, "edit"), "its creator may not update it")


@check("operations-tell-of-delete")
def operations_tell_of_delete(provider: Provider) -> None:
    resource = fixtures.cheap_resource(provider)
    href = provider.operation(resource, "delete")
    expect(href or not provider.wire.delete(str(resource["id"])).good, "it can be deleted, and does not offer delete")
    expect(href, "its creator may not delete it")


@check("operations-tell-of-add")
def operations_tell_of_add(provider: Provider) -> None:
    silent = [
        provider.collection(entry)
        for entry in provider.entries()
        if not provider.operation(provider.read(provider.collection(entry), ("$last", "1")), "add")
    ]
    if not silent:
        raise NotOffered("every collection offers add")
    for url in silent:
        answer = provider.wire.post(url, "Job", {"name": provider.new_name("refused")})
        expect(400 <= answer.status < 500, f"POST {url} was answered {answer.summary}")


@check("operations-can-be-done")
def operations_can_be_done(provider: Provider) -> None:
    resource = fixtures.cheap_resource(provider)
    edit, delete = provider.demand_operation(resource, "edit"), provider.demand_operation(resource, "delete")
    answer = provider.wire.put(edit, kind_of(resource), {"name": "done"}, ("$select", "name"))
    expect(answer.good, f"edit was answered {answer.summary}")
    provider.finish(answer)
    answer = provider.wire.delete(delete)
    expect(answer.good, f"delete was answered {answer.summary}")
    provider.finish(answer)


@check("location-leads-to-the-new")
def location_leads_to_the_new(provider: Provider) -> None:
    name = provider.new_name("located")
    url = provider.collection("machineConfigs")
    made = provider.create(url, "MachineConfiguration", {"name": name, "cpu": 1, "memory": fixtures.MEMORY})
    expect(made.exchange.location, "there is no Location")
    expect(provider.read(str(made.exchange.location)).get("name") == name, "something else is there")


# Delete


@check("deleted-is-gone")
def deleted_is_gone(provider: Provider) -> None:
    resource = fixtures.cheap_resource(provider)
    provider.delete(str(resource["id"]))
    answer = provider.wire.get(str(resource["id"]))
    expect(answer.status in (404, 410), f"it can still be read: {answer.status}")


@check("deleted-leaves-its-collection")
def deleted_leaves_its_collection(provider: Provider) -> None:
    kept, gone = fixtures.cheap_resource(provider), fixtures.cheap_resource(provider)
    entry = next(name for name in provider.entries() if words.item_type(name) == kind_of(gone))
    before = provider.read(provider.collection(entry))["count"]
    provider.delete(str(gone["id"]))
    ids = [item.get("id") for item in provider.all_items(provider.collection(entry))]
    after = provider.read(provider.collection(entry))["count"]
    expect(gone["id"] not in ids, f"{gone['id']} is still listed")
    expect(kept["id"] in ids, f"{kept['id']} went too")
    expect(after == before - 1, f"count was {before} and is {after}")


@check("delete-of-nothing")
def delete_of_nothing(provider: Provider) -> None:
    resource = fixtures.cheap_resource(provider)
    provider.delete(str(resource["id"]))
    answer = provider.wire.delete(str(resource["id"]))
    expect(400 <= answer.status < 500, f"a second delete was answered {answer.status}")


# Errors


@check("error-job-has-an-empty-id")
def error_job_has_an_empty_id(provider: Provider) -> None:
    answer = provider.wire.get(f"{provider.collection('machines')}/{NOWHERE}")
    document = answer.document or {}
    expect(kind_of(document) == "Job", f"the error is a {kind_of(document) or 'something else'}")
    identity = document.get("id")
    if identity:
        expect(kind_of(provider.read(str(identity))) == "Job", f"{identity} cannot be read")
    else:
        expect(identity == "", "the Job has no id at all")


@check("error-without-credentials")
def error_without_credentials(provider: Provider) -> None:
    answer = provider.anonymous().get("")
    if answer.good:
        raise NotOffered("no credentials are wanted for reading the Cloud Entry Point")
    expect(answer.status == 401, f"it was answered {answer.status}")
    expect(answer.headers.get("www-authenticate"), "there is no WWW-Authenticate")


@check("error-no-such-resource")
def error_no_such_resource(provider: Provider) -> None:
    answer = provider.wire.get(f"{provider.collection('machines')}/{NOWHERE}")
    expect(answer.status == 404, f"it was answered {answer.status}")


@check("error-method-not-allowed")
def error_method_not_allowed(provider: Provider) -> None:
    for method in ("PUT", "PATCH"):
        answer = provider.wire.send(
            Request(method=method, url=provider.collection("machines"), kind="Machine", content={"name": "x"}, raw=True)
        )
        expect(answer.status in (405, 501), f"{method} of a collection was answered {answer.status}")
        expect(answer.status == 501 or answer.headers.get("allow"), f"{method}: there is no Allow")


@check("error-malformed-body")
def error_malformed_body(provider: Provider) -> None:
    url = provider.demand_operation(provider.read(provider.collection("machines"), ("$last", "1")), "add")
    for body in (b"{", b"<MachineCreate", b"", b'["a list"]'):
        answer = provider.wire.send(Request(method="POST", url=url, body=body))
        expect(400 <= answer.status < 500, f"the body {body.decode()!r} was answered {answer.summary}")


@check("error-wrong-value")
def error_wrong_value(provider: Provider) -> None:
    answer = provider.add(
        provider.collection("machineConfigs"),
        "MachineConfiguration",
        {"name": provider.new_name("x"), "cpu": "several", "memory": 1},
    )
    expect(400 <= answer.status < 500, f"cpu 'several' was answered {answer.summary}")


@check("error-unsupported-media-type")
def error_unsupported_media_type(provider: Provider) -> None:
    url = provider.demand_operation(provider.read(provider.collection("machines"), ("$last", "1")), "add")
    answer = provider.wire.send(
        Request(method="POST", url=url, body=b"name: x", headers={"Content-Type": "application/yaml"})
    )
    expect(answer.status == 415, f"YAML was answered {answer.status}")


@check("error-dangling-reference")
def error_dangling_reference(provider: Provider) -> None:
    content = {
        "name": provider.new_name("x"),
        "machineTemplate": {"href": f"{provider.collection('machines')}/{NOWHERE}"},
    }
    answer = provider.add(provider.collection("machines"), "MachineCreate", content)
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")
