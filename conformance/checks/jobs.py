"""Jobs: those that the other checks made, and some that are looked at alone."""

from __future__ import annotations

from dataclasses import replace

from conformance import fixtures
from conformance.checks.shapes import STATES
from conformance.checks.systems import with_volume
from conformance.documents import resources
from conformance.outcomes import NotOffered, Violation, expect
from conformance.provider import ENDED, Provider, fixture
from conformance.registry import audit, check
from conformance.wire import Document, Exchange, kind_of

Said = str | bool | None


def _jobs(exchange: Exchange) -> list[Document]:
    """Return the Jobs of an answer that are whole, and none that only tell of an error."""
    if not exchange.good or exchange.partial:
        return []
    return [document for kind, document in resources(exchange) if kind == "Job"]


def _verdict(jobs: list[Document], wrong: list[str]) -> Said:
    return (wrong[0] if wrong else True) if jobs else None


@audit("job-state")
def job_state(_provider: Provider, exchange: Exchange) -> Said:
    jobs = _jobs(exchange)
    return _verdict(
        jobs,
        [f"{job.get('id')} is {job.get('state')}" for job in jobs if job.get("state") not in STATES["Job"].split()],
    )


@audit("job-progress")
def job_progress(_provider: Provider, exchange: Exchange) -> Said:
    jobs = [job for job in _jobs(exchange) if "progress" in job]
    wrong = [
        f"{job.get('id')} is {job.get('state')} with {job['progress']}"
        for job in jobs
        if not isinstance(job["progress"], int)
        or not 0 <= job["progress"] <= 100
        or (job.get("state") in ENDED and job["progress"] != 100)
    ]
    return _verdict(jobs, wrong)


@audit("job-has-a-target")
def job_has_a_target(_provider: Provider, exchange: Exchange) -> Said:
    jobs = _jobs(exchange)
    wrong = [job for job in jobs if not job.get("targetResource") or not job.get("action")]
    return _verdict(jobs, [f"{job.get('id')} has {job.get('targetResource')} and {job.get('action')}" for job in wrong])


@audit("job-affected-have-the-target")
def job_affected_have_the_target(_provider: Provider, exchange: Exchange) -> Said:
    jobs = [
        job for job in _jobs(exchange) if job.get("action") not in ("delete", None) and job.get("state") == "SUCCESS"
    ]
    wrong = [
        f"{job.get('id')}: {(job.get('targetResource') or {}).get('href')} is not in affectedResources"
        for job in jobs
        if (job.get("targetResource") or {}).get("href")
        not in [ref.get("href") for ref in job.get("affectedResources", [])]
    ]
    return _verdict(jobs, wrong)


@audit("job-return-code")
def job_return_code(_provider: Provider, exchange: Exchange) -> Said:
    jobs = [document for kind, document in resources(exchange) if kind == "Job" and "returnCode" in document]
    wrong = [job for job in jobs if not isinstance(job["returnCode"], int) or 0 < job["returnCode"] <= 9999]
    return _verdict(jobs, [f"{job.get('id') or 'an error'} has {job['returnCode']}" for job in wrong])


@audit("job-time-of-status-change")
def job_time_of_status_change(_provider: Provider, exchange: Exchange) -> Said:
    jobs = _jobs(exchange)
    return _verdict(jobs, [f"{job.get('id')} does not" for job in jobs if not job.get("timeOfStatusChange")])


@audit("job-in-202")
def job_in_202(_provider: Provider, exchange: Exchange) -> Said:
    if exchange.status != 202:
        return None
    if not exchange.body:
        return True
    return bool(exchange.document and kind_of(exchange.document)) or f"{exchange.line} came with something else"


# Those that are made to be looked at


@fixture
def creating(provider: Provider) -> tuple[str, Document]:
    """Create a MachineConfiguration, and return its URI and its Job."""
    provider.collection("jobs")
    content = {"name": provider.new_name("record"), "cpu": 1, "memory": fixtures.MEMORY}
    made = provider.create(provider.collection("machineConfigs"), "MachineConfiguration", content)
    if made.job is None:
        raise NotOffered("creates have no Job here")
    return made.url, made.job


@check("job-affected-have-the-new")
def job_affected_have_the_new(provider: Provider) -> None:
    url, job = creating(provider)
    target = (job.get("targetResource") or {}).get("href")
    expect(target == provider.collection("machineConfigs"), f"targetResource is {target}")
    affected = [ref.get("href") for ref in job.get("affectedResources", [])]
    expect(url in affected, f"affectedResources are {affected}")


@check("job-affected-lack-the-deleted")
def job_affected_lack_the_deleted(provider: Provider) -> None:
    provider.collection("jobs")
    resource = fixtures.cheap_resource(provider)
    answer = provider.wire.delete(provider.demand_operation(resource, "delete"))
    job = provider.finish(answer)
    if job is None:
        raise NotOffered("deletes have no Job here")
    affected = [ref.get("href") for ref in job.get("affectedResources", [])]
    expect(resource["id"] not in affected, f"affectedResources are {affected}")


@check("job-collection-has-no-add")
def job_collection_has_no_add(provider: Provider) -> None:
    url = provider.collection("jobs")
    expect(provider.operation(provider.read(url, ("$last", "1")), "add") is None, "it offers add")
    answer = provider.wire.post(url, "Job", {"name": provider.new_name("job")})
    expect(400 <= answer.status < 500, f"a Job was answered {answer.summary}")


@check("job-is-listed")
def job_is_listed(provider: Provider) -> None:
    job = creating(provider)[1]
    filtered = provider.items_at(provider.collection("jobs"), ("$filter", f"id='{job['id']}'"))
    ids = [item.get("id") for item in filtered] or [
        item.get("id") for item in provider.all_items(provider.collection("jobs"))
    ]
    expect(job["id"] in ids, f"{job['id']} is not listed")


@check("job-edit")
def job_edit(provider: Provider) -> None:
    job = creating(provider)[1]
    provider.edit(job, "Job", {"description": "looked at"}, "description")
    said = provider.read(str(job["id"])).get("description")
    expect(said == "looked at", f"description is {said}")


@check("job-delete")
def job_delete(provider: Provider) -> None:
    provider.collection("jobs")
    content = {"name": provider.new_name("record"), "cpu": 1, "memory": fixtures.MEMORY}
    made = provider.create(provider.collection("machineConfigs"), "MachineConfiguration", content)
    if made.job is None:
        raise NotOffered("creates have no Job here")
    url = str(made.job["id"])
    provider.demand_operation(made.job, "delete")
    provider.delete(url)
    expect(provider.is_gone(url), "it can still be read")
    expect(provider.wire.get(made.url).status == 200, "what it made is gone too")


@check("job-stop-of-a-finished")
def job_stop_of_a_finished(provider: Provider) -> None:
    job = creating(provider)[1]
    expect(not provider.operation(job, "stop"), "it does")


@check("job-nested")
def job_nested(provider: Provider) -> None:
    if provider.offers("systems"):
        with_volume(provider)
    parents = [job for job in provider.all_items(provider.collection("jobs")) if job.get("nestedJobs")]
    if not parents:
        raise NotOffered("there are no nested Jobs")
    for parent in parents[:20]:
        for reference in parent["nestedJobs"]:
            nested = provider.read(str(reference["href"]))
            said = (nested.get("parentJob") or {}).get("href")
            expect(said == parent["id"], f"parentJob of {nested['id']} is {said}")
            expect(
                parent.get("state") != "SUCCESS" or nested.get("state") == "SUCCESS",
                f"{nested['id']} is {nested.get('state')}",
            )


@check("job-every-one-ends")
def job_every_one_ends(provider: Provider) -> None:
    provider.collection("jobs")
    seen = list(dict.fromkeys(exchange.job for exchange in provider.wire.exchanges if exchange.job))
    if not seen:
        creating(provider)
        seen = [str(creating(provider)[1]["id"])]
    for url in seen:
        answer = provider.wire.get(url)
        if answer.status != 404:
            state = (provider.ended_job(_about(answer, url)) or {}).get("state")
            if state not in ENDED:
                raise Violation(f"{url} is {state}")


def _about(answer: Exchange, url: str) -> Exchange:
    """Return the exchange as if its answer had named this Job."""
    return replace(answer, headers={**answer.headers, "cimi-job-uri": url})
