"""Jobs: those that the other checks made, and some that are looked at alone."""

from __future__ import annotations

from conformance import things
from conformance.checks.shapes import STATES
from conformance.checks.systems import light
from conformance.looking import resources
from conformance.outcomes import NotOffered, Violation, expect
from conformance.registry import audit, check
from conformance.wire import Document, Exchange, kind_of
from conformance.world import ENDED, World, fact

Said = str | bool | None


def _jobs(exchange: Exchange) -> list[Document]:
    """Whole ones, and none of those that only tell of an error."""
    if not exchange.good or exchange.partial:
        return []
    return [document for kind, document in resources(exchange) if kind == "Job"]


def _said(found: list[Document], wrong: list[str]) -> Said:
    return (wrong[0] if wrong else True) if found else None


@audit("job-state")
def job_state(_world: World, exchange: Exchange) -> Said:
    found = _jobs(exchange)
    return _said(
        found,
        [f"{job.get('id')} is {job.get('state')}" for job in found if job.get("state") not in STATES["Job"].split()],
    )


@audit("job-progress")
def job_progress(_world: World, exchange: Exchange) -> Said:
    found = [job for job in _jobs(exchange) if "progress" in job]
    wrong = [
        f"{job.get('id')} is {job.get('state')} with {job['progress']}"
        for job in found
        if not isinstance(job["progress"], int)
        or not 0 <= job["progress"] <= 100
        or (job.get("state") in ENDED and job["progress"] != 100)
    ]
    return _said(found, wrong)


@audit("job-has-a-target")
def job_has_a_target(_world: World, exchange: Exchange) -> Said:
    found = _jobs(exchange)
    wrong = [job for job in found if not job.get("targetResource") or not job.get("action")]
    return _said(found, [f"{job.get('id')} has {job.get('targetResource')} and {job.get('action')}" for job in wrong])


@audit("job-affected-have-the-target")
def job_affected_have_the_target(_world: World, exchange: Exchange) -> Said:
    found = [
        job for job in _jobs(exchange) if job.get("action") not in ("delete", None) and job.get("state") == "SUCCESS"
    ]
    wrong = [
        f"{job.get('id')}: {(job.get('targetResource') or {}).get('href')} is not in affectedResources"
        for job in found
        if (job.get("targetResource") or {}).get("href")
        not in [ref.get("href") for ref in job.get("affectedResources", [])]
    ]
    return _said(found, wrong)


@audit("job-return-code")
def job_return_code(_world: World, exchange: Exchange) -> Said:
    found = [document for kind, document in resources(exchange) if kind == "Job" and "returnCode" in document]
    wrong = [job for job in found if not isinstance(job["returnCode"], int) or 0 < job["returnCode"] <= 9999]
    return _said(found, [f"{job.get('id') or 'an error'} has {job['returnCode']}" for job in wrong])


@audit("job-time-of-status-change")
def job_time_of_status_change(_world: World, exchange: Exchange) -> Said:
    found = _jobs(exchange)
    return _said(found, [f"{job.get('id')} does not" for job in found if not job.get("timeOfStatusChange")])


@audit("job-in-202")
def job_in_202(_world: World, exchange: Exchange) -> Said:
    if exchange.status != 202:
        return None
    if not exchange.body:
        return True
    return bool(exchange.document and kind_of(exchange.document)) or f"{exchange.line} came with something else"


# Those that are made to be looked at


@fact
def creating(world: World) -> tuple[str, Document]:
    """What was made, and its Job."""
    world.collection("jobs")
    content = {"name": world.name("record"), "cpu": 1, "memory": things.MEMORY}
    made = world.make(world.collection("machineConfigs"), "MachineConfiguration", content)
    if made.job is None:
        raise NotOffered("creates have no Job here")
    return made.url, made.job


@check("job-affected-have-the-new")
def job_affected_have_the_new(world: World) -> None:
    url, job = creating(world)
    target = (job.get("targetResource") or {}).get("href")
    expect(target == world.collection("machineConfigs"), f"targetResource is {target}")
    affected = [ref.get("href") for ref in job.get("affectedResources", [])]
    expect(url in affected, f"affectedResources are {affected}")


@check("job-affected-lack-the-deleted")
def job_affected_lack_the_deleted(world: World) -> None:
    world.collection("jobs")
    found = things.record(world)
    answer = world.wire.delete(world.demanded(found, "delete"))
    job = world.finish(answer)
    if job is None:
        raise NotOffered("deletes have no Job here")
    affected = [ref.get("href") for ref in job.get("affectedResources", [])]
    expect(found["id"] not in affected, f"affectedResources are {affected}")


@check("job-collection-has-no-add")
def job_collection_has_no_add(world: World) -> None:
    url = world.collection("jobs")
    expect(world.operation(world.read(url, ("$last", "1")), "add") is None, "it offers add")
    answer = world.wire.post(url, "Job", {"name": world.name("job")})
    expect(400 <= answer.status < 500, f"a Job was answered {answer.told()}")


@check("job-is-listed")
def job_is_listed(world: World) -> None:
    job = creating(world)[1]
    found = world.listed(world.collection("jobs"), ("$filter", f"id='{job['id']}'"))
    ids = [item.get("id") for item in found] or [item.get("id") for item in world.everything(world.collection("jobs"))]
    expect(job["id"] in ids, f"{job['id']} is not listed")


@check("job-edit")
def job_edit(world: World) -> None:
    job = creating(world)[1]
    answer = world.wire.put(
        world.demanded(job, "edit"), "Job", {"description": "looked at"}, ("$select", "description")
    )
    expect(answer.good, f"it was answered {answer.told()}")
    world.finish(answer)
    said = world.read(str(job["id"])).get("description")
    expect(said == "looked at", f"description is {said}")


@check("job-delete")
def job_delete(world: World) -> None:
    world.collection("jobs")
    content = {"name": world.name("record"), "cpu": 1, "memory": things.MEMORY}
    made = world.make(world.collection("machineConfigs"), "MachineConfiguration", content)
    if made.job is None:
        raise NotOffered("creates have no Job here")
    url = str(made.job["id"])
    world.demanded(made.job, "delete")
    world.removed(url)
    expect(world.gone(url), "it can still be read")
    expect(world.wire.get(made.url).status == 200, "what it made is gone too")


@check("job-stop-of-a-finished")
def job_stop_of_a_finished(world: World) -> None:
    job = creating(world)[1]
    expect(not world.operation(job, "stop"), "it does")


@check("job-nested")
def job_nested(world: World) -> None:
    if world.offers("systems"):
        light(world)
    parents = [job for job in world.everything(world.collection("jobs")) if job.get("nestedJobs")]
    if not parents:
        raise NotOffered("there are no nested Jobs")
    for parent in parents[:20]:
        for reference in parent["nestedJobs"]:
            nested = world.read(str(reference["href"]))
            said = (nested.get("parentJob") or {}).get("href")
            expect(said == parent["id"], f"parentJob of {nested['id']} is {said}")
            expect(
                parent.get("state") != "SUCCESS" or nested.get("state") == "SUCCESS",
                f"{nested['id']} is {nested.get('state')}",
            )


@check("job-every-one-ends")
def job_every_one_ends(world: World) -> None:
    world.collection("jobs")
    seen = list(dict.fromkeys(exchange.job for exchange in world.wire.exchanges if exchange.job))
    if not seen:
        creating(world)
        seen = [str(creating(world)[1]["id"])]
    for url in seen:
        answer = world.wire.get(url)
        if answer.status != 404:
            state = (world.ended(_about(answer, url)) or {}).get("state")
            if state not in ENDED:
                raise Violation(f"{url} is {state}")


def _about(answer: Exchange, url: str) -> Exchange:
    """The exchange as if it had told of this Job."""
    return Exchange("GET", url, None, 200, {**answer.headers, "cimi-job-uri": url}, b"", answer.asked, None)
