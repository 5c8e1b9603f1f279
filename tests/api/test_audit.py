"""The audit log: strangers can neither fill nor forge it, and it tells who took something out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from click.testing import CliRunner

from gateway import config
from gateway.app import Gateway
from gateway.cli import main
from gateway.config import EventSettings
from gateway.orchestration.monitoring.retention import Retention
from gateway.store.events import NewEvent
from tests.api.client import ApiClient
from tests.api.event_logs import events, log_of, of_type
from tests.api.namespaces import NAMESPACE
from tests.api.packages import made, small_package
from tests.api.volume_images.imaging import image_of

pytestmark = pytest.mark.slow

Client = Callable[..., ApiClient]
CHANGES = "eventLogs/changes"
HOSTILE = ["\n2026-11-30 forged", "\r", "\x1b[2J", "\x85", "\x9b31m", "\u2028", "\u2029", "\u202e", "\u2066", "\u200f"]
CONFIGURATION = {"name": "small", "cpu": 1, "memory": 65536}


@pytest.fixture
def settings(settings: config.Settings) -> config.Settings:
    """A proxy on this host that is believed, and a small log of everything."""
    server = replace(settings.server, trusted_proxies=["127.0.0.1/32"])
    return replace(settings, server=server, events=EventSettings(most_overall=100))


def stranger(admin: ApiClient, name: str = "operator", media: str = "json") -> ApiClient:
    return ApiClient(admin.session, admin.base, name, media, "guessed")


async def accesses(admin: ApiClient, log: str = "eventLogs/everything") -> list[dict[str, Any]]:
    return [event["content"] for event in of_type(await events(admin, log), "access")]


async def taken(admin: ApiClient, operation: str) -> list[dict[str, Any]]:
    return [content for content in await accesses(admin) if content["operation"] == operation]


# Not to be filled


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_wrong_passwords_of_a_name_from_an_address_are_one_event_a_minute(
    admin: ApiClient, gateway: Gateway, media: str
) -> None:
    for _ in range(5):
        assert (await stranger(admin, media=media).get("machines")).status == 401
    assert len(await accesses(admin)) == 1
    await gateway.accesses.tell_repeats(all_of_them=True)
    [first, repeated] = await accesses(admin)
    assert first["initiator"] == repeated["initiator"] == "operator"
    assert repeated["detail"].startswith("4 more within 60 seconds; the last: 401 ")
    assert "from 127.0.0.1" in repeated["detail"]


@pytest.mark.parametrize("address", ["192.0.2.1:{}", "[2001:db8::{}]:99", "2001:db8::{}"])
async def test_ports_and_addresses_of_one_network_are_no_other_addresses(admin: ApiClient, address: str) -> None:
    for number in range(1, 6):
        await stranger(admin).get("machines", X_Forwarded_For=address.format(number))
    assert len(await accesses(admin)) == 1


async def test_wrong_passwords_of_other_names_and_addresses_are_events_of_their_own(admin: ApiClient) -> None:
    for name in ("operator", "nobody"):
        for address in ("192.0.2.1", "192.0.2.2"):
            await stranger(admin, name).get("machines", X_Forwarded_For=address)
    assert len({(entry["initiator"], entry["detail"].partition(",")[0]) for entry in await accesses(admin)}) == 4


async def test_refused_changes_of_a_viewer_are_one_event_a_minute(
    admin: ApiClient, client: Client, gateway: Gateway
) -> None:
    for _ in range(30):
        assert (await client("viewer").post("machineConfigs", CONFIGURATION)).status == 403
    assert len(await accesses(admin)) == 1
    await gateway.accesses.tell_repeats(all_of_them=True)
    assert (await accesses(admin))[-1]["detail"].startswith("29 more within 60 seconds; the last: 403 ")


async def test_of_many_refused_changes_of_an_operator_some_are_told_and_the_others_counted(
    admin: ApiClient, client: Client, gateway: Gateway
) -> None:
    for _ in range(30):
        assert (await client("operator").post("machineConfigs", CONFIGURATION)).status == 403
    assert len(await accesses(admin)) == 20
    await gateway.accesses.tell_repeats(all_of_them=True)
    assert (await accesses(admin))[-1]["detail"].startswith("10 more ")


@pytest.mark.parametrize("header", ["Bearer x", "Basic", "Basic !!", "Basic eA==", "Digest username=operator", "\x80"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_is_no_http_basic_is_no_event(admin: ApiClient, header: str, method: str) -> None:
    anybody = ApiClient(admin.session, admin.base, "")
    answer = await anybody.request(method, "machines", Authorization=header)
    assert answer.status == 401
    assert await accesses(admin) == []


async def test_what_strangers_ask_for_pushes_no_change_out_of_the_log_of_changes(
    admin: ApiClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bcrypt, "checkpw", lambda password, _hashed: password == b"secret")
    made_first = (await admin.post("machineConfigs", CONFIGURATION)).location
    for number in range(120):
        await stranger(admin, f"name{number}").get("machines", X_Forwarded_For=f"192.0.2.{number}")
    limits = gateway.settings.events
    retention = Retention(gateway.store, limits.most_per_log, limits.most_overall, limits.most_changes)
    await retention.expire(datetime.now(UTC))
    assert made_first not in [entry["resource"]["href"] for entry in await accesses(admin)]
    kept = await accesses(admin, CHANGES)
    assert [entry["resource"]["href"] for entry in kept] == [made_first]


async def test_the_log_of_changes_is_kept_for_a_year_and_stays(admin: ApiClient, client: Client) -> None:
    assert (await admin.document(CHANGES))["persistence"] == "yearly"
    assert (await admin.delete(CHANGES)).status == 409
    assert (await admin.put(CHANGES, {"name": "audit"})).json["persistence"] == "yearly"
    assert (await client("operator").put(CHANGES, {"persistence": "hourly"})).status == 403


async def test_a_store_from_before_gets_the_log_of_changes_at_the_next_start(
    admin: ApiClient, gateway: Gateway
) -> None:
    async with gateway.store.transaction() as transaction:
        await transaction.delete(CHANGES)
    await gateway.stop()
    await gateway.start()
    made_next = (await admin.post("machineConfigs", CONFIGURATION)).location
    assert [entry["resource"]["href"] for entry in await accesses(admin, CHANGES)] == [made_next]


async def test_users_see_in_the_log_of_changes_what_concerns_them(admin: ApiClient, client: Client) -> None:
    credential = {"credentialTemplate": {"userName": "ops", "password": "hunter2"}}
    own = (await client("operator").post("credentials", credential)).location
    assert own in [entry["resource"]["href"] for entry in await accesses(client("operator"), CHANGES)]
    assert await accesses(client("other"), CHANGES) == []


async def test_a_wrong_password_is_told_to_admins_and_not_to_whose_name_it_was(
    admin: ApiClient, client: Client
) -> None:
    await stranger(admin).get("machines")
    assert len(await accesses(admin)) == 1
    assert await accesses(client("operator")) == []


async def test_a_wrong_password_is_not_written_into_the_log_of_a_machine(admin: ApiClient, machine: str) -> None:
    log = await log_of(admin, machine)
    before = await events(admin, log)
    assert (await stranger(admin).delete(machine)).status == 401
    assert await events(admin, log) == before


# Not to be forged


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_a_claimed_name_has_no_control_characters_in_the_log(
    admin: ApiClient, client: Client, hostile: str
) -> None:
    await stranger(admin, f"a{hostile}b").get("machines")
    [told] = await accesses(admin)
    assert told["initiator"].isprintable()
    assert (told["initiator"][0], told["initiator"][-1]) == ("a", "b")
    listed = (await client("admin", "xml").get("eventLogs/everything/events")).xml
    assert listed.findtext(f".//{NAMESPACE}initiator") == told["initiator"]


@pytest.mark.parametrize("words", ["events tail", "events tail --json", "jobs tail", "jobs list"])
async def test_the_command_line_prints_no_control_characters_of_the_store(
    admin: ApiClient, gateway: Gateway, tmp_path: Path, words: str
) -> None:
    hostile = "".join(HOSTILE)
    job = (await admin.post("machineConfigs", CONFIGURATION)).job.removeprefix(admin.base)
    content = {"operation": hostile, "initiator": hostile, "detail": hostile, "resource": {"href": hostile}}
    document = {"type": "access", "outcome": hostile, "severity": hostile, "content": content, "description": hostile}
    async with gateway.store.transaction() as transaction:
        await transaction.append_events([NewEvent("eventLogs/everything", datetime.now(UTC), None, document)])
        await transaction.write_log(job, None, "info", hostile, hostile)
        found = await transaction.get(job)
        assert found is not None
        await transaction.update(found.with_document(action=hostile, statusMessage=hostile))
    path = tmp_path / "gateway.toml"
    path.write_text(
        '[store]\npath = "gateway.db"\n[[hypervisor]]\nname="l"\nuri="qemu:///system"\npool="p"\nnetwork="n"\n'
    )
    result = await asyncio.to_thread(CliRunner().invoke, main, [*words.split(), "--config", str(path)])
    assert result.exit_code == 0, result.output
    assert "forged" in result.output
    assert all(line.isprintable() for line in result.output.split("\n"))
    assert not any(line.startswith("2026-11-30 forged") for line in result.output.split("\n"))


async def test_the_line_of_a_change_has_the_address(admin: ApiClient, capfd: pytest.CaptureFixture[str]) -> None:
    await admin.post("machineConfigs", CONFIGURATION, X_Forwarded_For="192.0.2.99")
    written = capfd.readouterr()
    lines = (written.out + written.err).splitlines()
    [line] = [line for line in lines if "machineConfigs" in line and " change " in line]
    assert "address=192.0.2.99" in line


async def test_what_strangers_ask_for_makes_no_line_of_a_change(
    admin: ApiClient, capfd: pytest.CaptureFixture[str]
) -> None:
    for client in (ApiClient(admin.session, admin.base, ""), stranger(admin)):
        assert (await client.post("machineConfigs", CONFIGURATION)).status == 401
    written = capfd.readouterr()
    assert "machineConfigs" not in written.out + written.err
    assert "login refused" in written.out + written.err


# Reads that take something out


async def package_of(admin: ApiClient, images: Path) -> str:
    """The Job of an export, which has the package."""
    (images / "shop.ova").write_bytes(small_package())
    system = await made(admin, "systems", f"file://{images / 'shop.ova'}")
    answer = await admin.act(system["id"], "export")
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"
    return answer.job


async def volume_image(admin: ApiClient, _images: Path) -> str:
    volume = await admin.post("volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 1024}}})
    return await image_of(admin, volume.location)


async def machine_image(admin: ApiClient, images: Path) -> str:
    document = {"imageLocation": f"file://{images / 'guest.qcow2'}"}
    return (await admin.post("machineImages", document, Prefer="wait=30")).location


async def guest(admin: ApiClient, images: Path) -> str:
    document = admin.machine(await machine_image(admin, images))
    return (await admin.post("machines", document, Prefer="wait=30")).location


@pytest.mark.parametrize("media", ["json", "xml"])
@pytest.mark.parametrize(
    ("verb", "make"),
    [("console", guest), ("download", machine_image), ("download", volume_image), ("package", package_of)],
)
async def test_a_read_that_takes_something_out_is_told(
    admin: ApiClient,
    client: Client,
    images: Path,
    verb: str,
    make: Callable[[ApiClient, Path], Awaitable[str]],
    media: str,
) -> None:
    url = await make(admin, images)
    answer = await client("admin", media).get(f"{url}/{verb}", Accept="*/*", X_Forwarded_For="192.0.2.5")
    assert answer.status == 200, answer.text
    [told] = await taken(admin, verb)
    assert (told["resource"]["href"], told["initiator"]) == (url, "admin")
    assert "from 192.0.2.5" in told["detail"]


async def test_an_owner_sees_that_an_admin_read_the_console(admin: ApiClient, client: Client, image: str) -> None:
    operator = client("operator")
    machine = (await operator.post("machines", operator.machine(image), Prefer="wait=30")).location
    assert (await admin.get(f"{machine}/console")).status == 200
    told = (await accesses(operator, await log_of(operator, machine)))[-1]
    assert (told["operation"], told["initiator"]) == ("console", "admin")


async def test_a_console_that_is_read_again_and_again_is_told_once_and_then_by_its_number(
    admin: ApiClient, machine: str, gateway: Gateway
) -> None:
    for _ in range(5):
        await admin.get(f"{machine}/console")
    assert len(await taken(admin, "console")) == 1
    await gateway.accesses.tell_repeats(all_of_them=True)
    assert (await taken(admin, "console"))[-1]["detail"].startswith("4 more within 600 seconds; ")


async def test_a_read_of_the_metrics_is_told_once_an_hour(admin: ApiClient) -> None:
    for _ in range(3):
        assert (await admin.get(admin.base.removesuffix("cimi/") + "metrics")).status == 200
    [told] = await taken(admin, "metrics")
    assert told["initiator"] == "admin"


async def test_a_refused_read_of_the_metrics_is_told(admin: ApiClient, client: Client) -> None:
    assert (await client("operator").get(admin.base.removesuffix("cimi/") + "metrics")).status == 403
    [told] = await accesses(admin)
    assert told["initiator"] == "operator"
    assert told["detail"].startswith("403 metrics ")


async def test_a_download_that_is_refused_is_not_told_as_one(client: Client, admin: ApiClient, machine: str) -> None:
    assert (await client("other").get(f"{machine}/console")).status == 404
    assert await taken(admin, "console") == []


async def test_what_was_counted_is_told_before_the_gateway_ends(
    admin: ApiClient, gateway: Gateway, settings: config.Settings
) -> None:
    for _ in range(3):
        await stranger(admin).get("machines")
    await gateway.stop()
    await gateway.start()
    assert (await accesses(admin))[-1]["detail"].startswith("2 more ")
