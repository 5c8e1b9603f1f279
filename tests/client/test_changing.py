"""What a client changes at a gateway, in both formats."""

from __future__ import annotations

import pytest
from cimi_client import Client, Conflict, Denied, Document, Job, JobFailed, NotFound, NotOffered, Refused, Resource

from tests.client.machines import Opener, machine_document


async def test_a_create_is_awaited_and_gives_what_was_made(either: Client, image: Resource) -> None:
    template: Document = {
        "initialState": "STOPPED",
        "machineConfig": {"cpu": 2, "memory": 131072, "disks": [{"capacity": 40_000}]},
        "machineImage": {"href": image.id},
        "networkInterfaces": [{"mtu": 1400}],
    }
    document: Document = {"name": "web2", "properties": {"tier": "front"}, "machineTemplate": template}
    made = await (await either.create("machines", document))
    assert (made.name, made.number("cpu"), made.properties) == ("web2", 2, {"tier": "front"})
    [disk] = (await either.page(made.href("disks") or "")).items
    assert disk.number("capacity") == 40_000


async def test_a_key_goes_into_a_credential_in_both_formats(either: Client) -> None:
    template = {"userName": "me", "key": "ssh-ed25519 AAAA me@here"}
    made = await (await either.create("credentials", {"name": "mine", "credentialTemplate": template}))
    assert made.text("key") == "ssh-ed25519 AAAA me@here"


async def test_an_action_is_awaited_and_gives_its_job(either: Client, machine: Resource) -> None:
    job = await (await either.act(machine, "start"))
    assert job is not None
    assert (job.verb, job.state, job.progress, job.target) == ("start", "SUCCESS", 100, machine.id)
    assert (await either.get(machine.id)).state == "STARTED"


async def test_the_progress_of_a_job_is_followed_to_its_end(client: Client, machine: Resource) -> None:
    change = await client.act(machine, "start")
    jobs = [job async for job in change.follow()]
    assert jobs[-1].ended
    assert [job.progress for job in jobs] == sorted(job.progress for job in jobs)


async def test_what_is_not_possible_now_is_not_offered_and_what_is_is_told(client: Client, machine: Resource) -> None:
    with pytest.raises(NotOffered, match=r"web1 .* in state STOPPED does not offer stop now; it offers .*start"):
        await client.act(machine, "stop")


async def test_some_attributes_are_changed_and_others_stay(either: Client, machine: Resource) -> None:
    read = await either.get(machine.id)
    await (await either.edit(read, {"description": "front end", "properties": {"a": "1"}}))
    await (await either.edit(await either.get(machine.id), {"description": None}))
    changed = await either.get(machine.id)
    assert (changed.name, changed.text("description"), changed.properties) == ("web1", "", {"a": "1"})


async def test_a_whole_document_is_written_back(either: Client, machine: Resource) -> None:
    read = await either.get(machine.id)
    await (await either.replace(read, {**read.document, "name": "renamed"}))
    assert (await either.get(machine.id)).name == "renamed"


async def test_an_edit_of_what_changed_since_it_was_read_is_a_conflict(client: Client, machine: Resource) -> None:
    await (await client.edit(machine, {"name": "other"}))
    with pytest.raises(Conflict):
        await client.edit(machine, {"name": "mine"})
    await (await client.edit(machine, {"name": "mine"}, unconditional=True))
    assert (await client.get(machine.id)).name == "mine"


async def test_a_deleted_machine_is_gone(either: Client, machine: Resource) -> None:
    await (await either.delete(await either.get(machine.id)))
    with pytest.raises(NotFound):
        await either.get(machine.id)


async def test_a_refusal_has_the_providers_words_and_its_status(either: Client, image: Resource) -> None:
    with pytest.raises(Refused, match="colour") as error:
        await either.create("machines", {**machine_document(image.id), "colour": "red"})
    assert error.value.status == 400


async def test_a_wrong_password_is_denied(opened: Opener) -> None:
    async with opened("nobody") as nobody:
        with pytest.raises(Denied, match="password"):
            await nobody.entry_point()


async def test_a_create_with_a_key_that_was_used_gives_what_was_made_then(client: Client, image: Resource) -> None:
    first = await (await client.create("machines", machine_document(image.id, "once"), key="same"))
    again = await (await client.create("machines", machine_document(image.id, "once"), key="same"))
    assert again.id == first.id


def test_a_failed_job_says_what_failed_and_why() -> None:
    failed = Job(Resource({"state": "FAILED", "action": "http://x/action/start", "statusMessage": "no memory"}))
    with pytest.raises(JobFailed, match="start FAILED: no memory"):
        failed.demand_success()


async def test_who_waits_for_a_job_lets_the_provider_wait(client: Client, machine: Resource) -> None:
    """A provider that waits is not asked again and again."""
    change = await client.act(machine, "start")
    assert change.job_url is not None
    job, waits = await client.awaited(change.job_url, 60)
    assert (job.state, waits) == ("SUCCESS", True)
