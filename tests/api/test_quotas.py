"""Quotas as users and admins meet them: over HTTP, and on the host by ``cimi-gateway quota``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from demo.basic_auth import basic_auth
from drivers.base import Power
from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from gateway.cli import main
from gateway.orchestration.quotas.counting import COUNTED
from gateway.orchestration.quotas.measures import amounts_of
from tests.api.client import ApiClient
from tests.api.mortal import Mortal, again
from tests.api.volumes import by_value

pytestmark = pytest.mark.slow

Client = Callable[..., ApiClient]
QUOTAS = {"machines": 2, "running_memory": 262144, "volume_bytes": 10_000_000, "documents": 1000}
CREDENTIAL = {"credentialTemplate": {"userName": "ops", "password": "hunter2"}}


@pytest.fixture
def settings(settings: config.Settings) -> config.Settings:
    return replace(settings, quotas=QUOTAS)


@pytest.fixture
def operator(client: Client) -> ApiClient:
    return client("operator")


async def make(client: ApiClient, image: str, **template: Any) -> str:
    made = await client.post("machines", client.machine(image, **template), Prefer="wait=30")
    assert made.status == 201, made.text
    return made.location


async def counted(gateway: Gateway, holder: str) -> dict[str, int]:
    rows = await gateway.store.fetch("SELECT quota, used FROM usage WHERE holder = ?", (holder,))
    return dict(rows)


async def there(gateway: Gateway, holder: str) -> dict[str, int]:
    """What a holder has, by looking at everything."""
    total: dict[str, int] = {}
    for kind in COUNTED:
        async for resource in gateway.store.every(kind):
            for (owner, quota), number in amounts_of(resource).items():
                if owner == holder:
                    total[quota] = total.get(quota, 0) + number
    return {quota: number for quota, number in total.items() if number}


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_one_machine_too_many_is_refused_with_words(
    client: Client, operator: ApiClient, image: str, media: str
) -> None:
    for _ in range(2):
        await make(operator, image, initialState="STOPPED")
    refused = await client("operator", media).post("machines", operator.machine(image, initialState="STOPPED"))
    assert refused.status == 403
    assert "the quota machines (Machines) of this project is full: 2 of 2 are used" in refused.text


async def test_the_quota_of_one_project_is_not_used_up_by_another(
    client: Client, operator: ApiClient, image: str
) -> None:
    for _ in range(2):
        await make(operator, image, initialState="STOPPED")
    await make(client("other"), image, initialState="STOPPED")


async def test_of_fifty_creates_at_once_two_succeed(operator: ApiClient, image: str, gateway: Gateway) -> None:
    document = operator.machine(image, initialState="STOPPED")
    answers = await asyncio.gather(*(operator.post("machines", document, Prefer="wait=30") for _ in range(50)))
    assert sorted(answer.status for answer in answers) == [201] * 2 + [403] * 48
    assert (await operator.document("machines"))["count"] == 2
    assert (await counted(gateway, "project/operator"))["machines"] == 2


async def test_too_large_a_volume_is_a_lack_of_space(operator: ApiClient) -> None:
    refused = await operator.post("volumes", by_value(capacity=20_000))
    assert refused.status == 507
    assert "the quota volume_bytes" in refused.message


async def test_a_machine_whose_memory_is_too_much_does_not_start_and_the_others_go_on(
    operator: ApiClient, image: str, admin: ApiClient, gateway: Gateway, tmp_path: Path
) -> None:
    first, second = await make(operator, image), await make(operator, image, initialState="STOPPED")
    await asyncio.to_thread(quota, gateway, tmp_path, "set", "operator", "running_memory=131072")
    refused = await operator.act(second, "start")
    assert refused.status == 403
    assert "the quota running_memory" in refused.message
    assert (await operator.acted(first, "stop", force=True))["state"] == "SUCCESS"
    assert (await operator.acted(second, "start"))["state"] == "SUCCESS"


async def test_a_machine_that_would_grow_beyond_a_quota_stays_as_it_is(
    operator: ApiClient, image: str, driver: MemoryDriver
) -> None:
    machine = await make(operator, image)
    answer = await operator.put(f"{machine}?$select=memory", {"memory": 524288})
    job = await operator.ended(answer.job)
    assert job["state"] == "FAILED"
    assert "the quota running_memory" in job["statusMessage"]
    assert (await operator.document(machine))["memory"] == 131072
    assert driver.state.domains[machine.rpartition("/")[2]].memory_kib == 131072


async def test_with_every_quota_full_reads_stops_and_deletes_go_on(
    operator: ApiClient, image: str, gateway: Gateway, tmp_path: Path
) -> None:
    machine = await make(operator, image)
    amounts = await counted(gateway, "project/operator")
    full = [f"{name}=0" for name in amounts]
    await asyncio.to_thread(quota, gateway, tmp_path, "set", "operator", *full)
    assert (await operator.post("credentials", CREDENTIAL)).status in (403, 507)
    assert (await operator.get(machine)).status == 200
    assert (await operator.acted(machine, "stop", force=True))["state"] == "SUCCESS"
    assert (await operator.delete(machine, Prefer="wait=30")).status == 200
    assert (await operator.get(machine)).status == 404


async def test_a_guest_that_an_admin_starts_outside_is_counted_though_the_quota_is_full(
    operator: ApiClient, image: str, gateway: Gateway, driver: MemoryDriver, tmp_path: Path
) -> None:
    machine = await make(operator, image, initialState="STOPPED")
    await asyncio.to_thread(quota, gateway, tmp_path, "set", "operator", "running_memory=0")
    driver.externally(machine.rpartition("/")[2], Power.RUNNING)
    await operator.state(machine, "STARTED")
    assert (await counted(gateway, "project/operator"))["running_memory"] == 131072


async def test_what_is_deleted_is_given_back(operator: ApiClient, image: str, gateway: Gateway) -> None:
    before = await counted(gateway, "project/operator")
    machine = await make(operator, image)
    assert (await operator.delete(machine, Prefer="wait=30")).status == 200
    after = await counted(gateway, "project/operator")
    kept = {quota: number for quota, number in after.items() if number and quota not in before}
    assert kept == {}


async def test_what_is_counted_is_what_is_there_after_a_whole_life(
    world: Any, gateway: Gateway, settings: config.Settings, tmp_path: Path
) -> None:
    unlimited = [f"{name}=unlimited" for name in QUOTAS]
    await asyncio.to_thread(quota, gateway, tmp_path, "set", "operator", *unlimited)
    await world.everything()
    for holder in ("project/operator", "user/operator", "host/local"):
        amounts = {quota: number for quota, number in (await counted(gateway, holder)).items() if number}
        assert amounts == await there(gateway, holder)


@pytest.mark.parametrize("step", [1, 3])
async def test_killed_between_promise_and_use_nothing_is_left_counted(mortal: Mortal, images: Path, step: int) -> None:
    admin = mortal.client
    document = {"imageLocation": f"file://{images / 'guest.qcow2'}"}
    image = (await admin.post("machineImages", document, Prefer="wait=30")).location
    await again(mortal, step)
    begun = await admin.post("machines", admin.machine(image), Prefer="respond-async")
    assert (await mortal.ended(begun.job))["state"] == "SUCCESS"
    assert mortal.deaths == 1
    assert (await admin.delete(begun.location, Prefer="wait=30")).status == 200
    amounts = {name: number for name, number in (await counted(mortal.gateway, "project/admin")).items() if number}
    assert "machines" not in amounts
    assert amounts == await there(mortal.gateway, "project/admin")


# On the host


def quota(gateway: Gateway, tmp_path: Path, *words: str) -> str:
    path = tmp_path / "gateway.toml"
    path.write_text(
        f'[store]\npath = "{gateway.store.path}"\n[quotas]\nmachines = 2\n'
        '[[hypervisor]]\nname="l"\nuri="qemu:///system"\npool="p"\nnetwork="n"\n'
    )
    result = CliRunner().invoke(main, ["quota", *words, "--config", str(path)])
    assert result.exit_code == 0, result.output
    return result.output


async def test_what_is_used_and_allowed_is_shown(
    operator: ApiClient, image: str, gateway: Gateway, tmp_path: Path
) -> None:
    await make(operator, image)
    output = await asyncio.to_thread(quota, gateway, tmp_path, "show", "operator", "--json")
    rows = {row["quota"]: row for row in map(json.loads, output.splitlines())}
    assert rows["machines"] == {
        "holder": "project/operator",
        "quota": "machines",
        "used": 1,
        "allowed": 2,
        "unit": "",
    }
    assert (rows["volumes"]["used"], rows["volumes"]["allowed"]) == (0, None)
    plain = await asyncio.to_thread(quota, gateway, tmp_path, "show")
    assert any(line.split()[:4] == ["host/local", "host_memory", "131072", "unlimited"] for line in plain.splitlines())


async def test_what_is_set_holds_at_once(operator: ApiClient, image: str, gateway: Gateway, tmp_path: Path) -> None:
    await asyncio.to_thread(quota, gateway, tmp_path, "set", "operator", "machines=0", "memory=4G")
    refused = await operator.post("machines", operator.machine(image))
    assert refused.status == 403
    await asyncio.to_thread(quota, gateway, tmp_path, "set", "operator", "machines=default")
    await make(operator, image)


async def test_sizes_are_set_with_suffixes(gateway: Gateway, tmp_path: Path) -> None:
    await asyncio.to_thread(quota, gateway, tmp_path, "set", "ann", "memory=4G", "volume_bytes=1K", "machines=3")
    rows = await gateway.store.fetch("SELECT quota, allowed FROM allowances ORDER BY quota")
    assert dict(rows) == {"machines": 3, "memory": 4 * 1024**2, "volume_bytes": 1024}


async def test_what_a_user_made_is_shown_and_set(
    operator: ApiClient, image: str, gateway: Gateway, tmp_path: Path
) -> None:
    await make(operator, image, initialState="STOPPED")
    await asyncio.to_thread(quota, gateway, tmp_path, "set", "operator", "machines=1", "--user")
    refused = await operator.post("machines", operator.machine(image))
    assert refused.status == 403
    assert "of this user is full: 1 of 1 are used" in refused.message
    output = await asyncio.to_thread(quota, gateway, tmp_path, "show", "--user", "operator", "--json")
    [row] = [row for row in map(json.loads, output.splitlines()) if row["quota"] == "machines"]
    assert (row["holder"], row["used"], row["allowed"]) == ("user/operator", 1, 1)


async def test_a_project_is_meant_by_its_name(admin: ApiClient, gateway: Gateway, tmp_path: Path) -> None:
    assert (await admin.post("projects", {"name": "shop"})).status == 201
    await asyncio.to_thread(quota, gateway, tmp_path, "set", "shop", "volumes=0")
    refused = await admin.post("volumes", by_value(capacity=1000), CIMI_Project="shop")
    assert refused.status == 403
    assert "the quota volumes" in refused.message
    output = await asyncio.to_thread(quota, gateway, tmp_path, "show", "shop")
    assert "project/shop" in output


async def test_a_setting_is_an_entry_of_the_audit_log(gateway: Gateway, tmp_path: Path) -> None:
    await asyncio.to_thread(quota, gateway, tmp_path, "set", "ann", "machines=3")
    [(entry,)] = await gateway.store.fetch("SELECT entry FROM audit ORDER BY position DESC LIMIT 1")
    written = json.loads(entry)
    assert (written["operation"], written["resource"], written["detail"]) == ("quota", "project/ann", "machines=3")
    assert written["uid"].isdecimal()


@pytest.mark.parametrize("word", ["machine=3", "machines=-1", "machines=three", "machines"])
def test_a_mistake_is_named(tmp_path: Path, word: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('[store]\npath = "s.db"\n[[hypervisor]]\nname="l"\nuri="x"\npool="p"\nnetwork="n"\n')
    result = CliRunner().invoke(main, ["quota", "set", "ann", word, "--config", str(path)])
    assert result.exit_code == 2
    assert word.partition("=")[0] in result.output


# What is looked at as it happens


async def streaming(client: ApiClient) -> Any:
    headers = {"Authorization": basic_auth(client.user, client.password)}
    return await client.session.get(client.base + "eventStream", headers=headers)


class TestLive:
    @pytest.fixture
    def settings(self, settings: config.Settings) -> config.Settings:
        return replace(settings, quotas={"event_streams": 1, "requests_per_second": 2})

    async def test_one_reader_too_many_of_the_stream_is_refused(self, operator: ApiClient) -> None:
        first, second = await streaming(operator), await streaming(operator)
        assert (first.status, second.status) == (200, 429)
        assert "the quota event_streams" in await second.text()
        first.close()

    async def test_too_many_requests_are_refused_and_come_through_later(
        self, operator: ApiClient, client: Client
    ) -> None:
        answers = [await operator.get("machines") for _ in range(30)]
        assert {answer.status for answer in answers} == {200, 429}
        assert answers[-1].headers["retry-after"] == "1"
        assert (await client("other").get("machines")).status == 200

    async def test_what_is_set_for_one_project_holds_with_the_next_look(
        self, operator: ApiClient, gateway: Gateway, tmp_path: Path
    ) -> None:
        await asyncio.to_thread(quota, gateway, tmp_path, "set", "operator", "requests_per_second=unlimited")
        await gateway.quotas.look(gateway.store)
        assert {(await operator.get("machines")).status for _ in range(30)} == {200}
