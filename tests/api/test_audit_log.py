"""The audit log: who asked for what, from where, by what means, and what came of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.app import Gateway
from gateway.cli import main
from gateway.jobs.records import plan_from_document, plan_to_document
from gateway.orchestration.common.contract import Caller, Role
from gateway.orchestration.monitoring.audit_log import write_to_journal
from gateway.store.audit import AuditEntry
from tests.api.audits import audited
from tests.api.client import ApiClient

pytestmark = pytest.mark.slow

Client = Callable[..., ApiClient]
CONFIGURATION = {"name": "small", "cpu": 1, "memory": 65536}
CREDENTIAL = {"credentialTemplate": {"userName": "ops", "password": "hunter2"}}


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_change_is_an_entry_with_who_what_and_from_where(client: Client, gateway: Gateway, media: str) -> None:
    made = await client("operator", media).post("credentials", CREDENTIAL, X_Request_ID="mine")
    assert made.status == 201, made.text
    entry = (await audited(gateway))[-1]
    assert entry["resource"] == made.location.removeprefix(client("operator").base)
    assert (entry["user"], entry["address"], entry["request"]) == ("operator", "127.0.0.1", "mine")
    assert (entry["operation"], entry["outcome"], entry["stranger"]) == ("add", "Success", 0)


async def test_a_change_that_a_job_makes_is_an_entry_at_its_beginning_and_at_its_end(
    client: Client, gateway: Gateway, image: str
) -> None:
    operator = client("operator")
    await operator.post("machines", operator.machine(image), Prefer="wait=30")
    begun, ended = [entry for entry in await audited(gateway) if entry["resource"].startswith("machines/")]
    assert (begun["outcome"], ended["outcome"]) == ("Pending", "Success")
    assert begun["job"] == ended["job"]
    assert ended["user"] == "operator"


async def test_a_refused_change_is_an_entry_with_the_reason(client: Client, gateway: Gateway) -> None:
    assert (await client("viewer").post("machineConfigs", CONFIGURATION)).status == 403
    entry = (await audited(gateway))[-1]
    assert (entry["user"], entry["outcome"]) == ("viewer", "Failure")
    assert entry["detail"].startswith("403 ")


async def test_a_read_of_a_console_is_an_entry(admin: ApiClient, machine: str, gateway: Gateway) -> None:
    assert (await admin.get(f"{machine}/console")).status == 200
    entry = (await audited(gateway))[-1]
    assert (entry["operation"], entry["user"]) == ("console", "admin")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}])
async def test_what_a_stranger_asks_for_is_one_entry_a_minute_of_the_address(
    admin: ApiClient, gateway: Gateway, headers: dict[str, str]
) -> None:
    stranger = ApiClient(admin.session, admin.base, "")
    for number in range(30):
        assert (await stranger.get(f"machines?name={number}", **headers)).status == 401
    assert await audited(gateway) == []
    await gateway.accesses.tell_repeats(all_of_them=True)
    [entry] = await audited(gateway)
    assert (entry["stranger"], entry["number"], entry["address"]) == (1, 30, "127.0.0.1")
    assert "user" not in entry


async def test_wrong_passwords_of_many_names_are_one_entry_of_the_address(admin: ApiClient, gateway: Gateway) -> None:
    for name in ("operator", "root"):
        assert (await ApiClient(admin.session, admin.base, name, "json", "guessed").get("machines")).status == 401
    await gateway.accesses.tell_repeats(all_of_them=True)
    [entry] = await audited(gateway)
    assert entry["number"] == 2
    assert "the name was 'root'" in entry["detail"]


async def test_a_token_that_a_user_came_in_by_goes_through_the_job_into_the_log(gateway: Gateway, image: str) -> None:
    caller = Caller("operator", Role.OPERATOR, "operator", address="192.0.2.9", credential="token 7f3c")
    path = f"machineImages/{image.rpartition('/')[2]}"
    template = {"machineImage": {"href": path}, "machineConfig": {"cpu": 1, "memory": 65536}}
    outcome = await gateway.services["Machine"].add(caller, "machines", {"machineTemplate": template})
    await gateway.runner.wait(outcome.job, 30)
    entries = [entry for entry in await audited(gateway) if entry.get("job") == outcome.job]
    assert [entry["token"] for entry in entries] == ["7f3c", "7f3c"]


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_who_comes_by_a_token_is_an_entry_with_the_token(client: Client, gateway: Gateway, media: str) -> None:
    operator = client("operator", media)
    made = await client("operator").post("tokens", {"name": "scripts"})
    bearer = replace(operator, token=made.json["token"])
    assert (await bearer.post("credentials", CREDENTIAL)).status == 201
    entry = (await audited(gateway))[-1]
    assert (entry["user"], entry["token"]) == ("operator", made.location.rpartition("/")[2])
    assert made.json["token"] not in json.dumps(await audited(gateway))


async def test_a_wrong_token_is_counted_as_a_strangers(client: Client, gateway: Gateway) -> None:
    wrong = replace(client("operator"), token="cimi_00000000-0000-4000-8000-000000000000_guessed")
    for _ in range(3):
        assert (await wrong.get("machines")).status == 401
    await gateway.accesses.tell_repeats(all_of_them=True)
    [entry] = await audited(gateway)
    assert (entry["stranger"], entry["number"]) == (1, 3)


async def test_a_user_who_may_not_is_no_stranger(client: Client, gateway: Gateway) -> None:
    assert (await client("operator").put("quotas/project-operator", {"limits": []})).status == 403
    entry = (await audited(gateway))[-1]
    assert (entry["stranger"], entry["user"], entry["outcome"]) == (0, "operator", "Failure")


async def test_a_token_outlives_a_restart_in_the_plan(gateway: Gateway) -> None:
    caller = Caller("operator", Role.OPERATOR, "operator", credential="token 7f3c")
    plan = gateway.services["Machine"].plan(caller, "start", "machines/1")
    assert plan_from_document(plan_to_document(plan)).credential == "token 7f3c"


async def test_no_secret_of_a_request_is_in_the_log(client: Client, gateway: Gateway) -> None:
    await client("operator").post("credentials", CREDENTIAL)
    assert "hunter2" not in json.dumps(await audited(gateway))


# On the host


def invoked(gateway: Gateway, tmp_path: Path, *words: str) -> str:
    path = tmp_path / "gateway.toml"
    path.write_text(
        f'[store]\npath = "{gateway.store.path}"\n'
        '[[hypervisor]]\nname="l"\nuri="qemu:///system"\npool="p"\nnetwork="n"\n'
    )
    result = CliRunner().invoke(main, ["audit", *words, "--config", str(path)])
    assert result.exit_code == 0, result.output
    return result.output


async def test_the_log_is_exported_as_json_lines_from_a_position_on(
    client: Client, gateway: Gateway, tmp_path: Path
) -> None:
    for _ in range(2):
        await client("operator").post("credentials", CREDENTIAL)
    output = await asyncio.to_thread(invoked, gateway, tmp_path, "export")
    first, second = [json.loads(line) for line in output.splitlines()]
    assert (first["user"], first["operation"]) == ("operator", "add")
    rest = await asyncio.to_thread(invoked, gateway, tmp_path, "export", "--after", str(first["position"]))
    assert [json.loads(line) for line in rest.splitlines()] == [second]


async def test_the_newest_entries_are_printed_as_lines(client: Client, gateway: Gateway, tmp_path: Path) -> None:
    for _ in range(3):
        await client("operator").post("credentials", CREDENTIAL)
    output = await asyncio.to_thread(invoked, gateway, tmp_path, "tail", "-n", "2")
    assert len(output.splitlines()) == 2
    assert "operator  add  credentials/" in output


def test_the_journal_gets_a_line_with_fields_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    write_to_journal([AuditEntry("add", "Success", "machines/1", "ann", credential="token 7f3c", address="192.0.2.1")])
    written = capfd.readouterr()
    line = written.out + written.err
    assert all(word in line for word in ("audit", "ann", "7f3c", "192.0.2.1", "machines/1", "Success"))
