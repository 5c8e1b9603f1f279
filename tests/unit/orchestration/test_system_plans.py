"""Plans and notes of Systems and packages are typed, and those that earlier gateways wrote are read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import Conflict
from gateway.jobs.plan import Plan
from gateway.jobs.records import new_job
from gateway.orchestration.common.contract import Asker, Caller, Role
from gateway.orchestration.common.first_answers import Request, first_answer
from gateway.orchestration.common.step import Step
from gateway.orchestration.systems.blueprint import Component
from gateway.orchestration.systems.packages.asking import once
from gateway.orchestration.systems.packages.disk_step import ImportDisks
from gateway.orchestration.systems.packages.export_steps import DeliverPackage, PackDisk, PackedFile, WritePackage
from gateway.orchestration.systems.packages.notes import Arrived, Begun, FileIdentity, Written
from gateway.orchestration.systems.packages.parts import DiskToPack
from gateway.orchestration.systems.packages.settling import SettlePackage
from gateway.orchestration.systems.packages.sources import PackageSource, SourceKind
from gateway.orchestration.systems.packages.wishes import Wishes
from gateway.orchestration.systems.steps import ActOnComponents, MakeComponents, SettleSystem
from gateway.orchestration.systems.symbols import without
from gateway.ovf.certificate import Certificate
from gateway.store.answered import Answered, remember
from gateway.store.durable import from_document, to_document
from gateway.store.sealing import SEALED, UNOPENED
from gateway.store.store import Store

CALLER = Caller("me", Role.OPERATOR, "me", "r1", address="192.0.2.1")
ASKER = Asker.of(CALLER)
ASKED_BY = {"user": "me", "role": "operator", "request_id": "r1", "address": "192.0.2.1"}
WAY = ("machineTemplate", "volumes", 0)
MACHINE = Component("0.1", "web", "Machine", {"machineTemplate": {"volumes": [{}]}}, ((WAY, "1.1"),), ("2.1",))
UPLOAD = PackageSource(SourceKind.UPLOAD, "/staging/uploads-1/package", upload="1")
DISK = DiskToPack(
    id="file1",
    file="shop-disk1.vmdk",
    label="web vda",
    host="local",
    pool="default",
    volume="cimi-1-vda.qcow2",
    format="qcow2",
    machine="machines/1",
    target="vda",
)
PLANS: tuple[tuple[Step, dict[str, object]], ...] = (
    (
        MakeComponents("systems/1", ASKER, (MACHINE,)),
        {
            "resource": "systems/1",
            "caller": ASKED_BY,
            "components": [
                {
                    "key": "0.1",
                    "place": 0,
                    "name": "web",
                    "kind": "Machine",
                    "document": {"machineTemplate": {"volumes": [{}]}},
                    "links": [[["machineTemplate", "volumes", 0], "1.1"]],
                    "after": ["2.1"],
                }
            ],
        },
    ),
    (
        ActOnComponents("systems/1", ASKER, "stop", {"force": True}),
        {"resource": "systems/1", "caller": ASKED_BY, "action": "stop", "document": {"force": True}},
    ),
    (SettleSystem("systems/1", "add"), {"resource": "systems/1", "action": "add"}),
    (
        ImportDisks(UPLOAD, Wishes(values={"motto": "hi"}), "System", ASKER),
        {
            "source": {"kind": "upload", "place": "/staging/uploads-1/package", "descriptor": False, "upload": "1"},
            "wishes": {"name": None, "configuration": None, "values": {"motto": "hi"}, "networks": {}, "lax": False},
            "kind": "System",
            "caller": ASKED_BY,
        },
    ),
    (
        PackDisk(DISK, last=True),
        {
            "disk": {
                "id": "file1",
                "file": "shop-disk1.vmdk",
                "label": "web vda",
                "host": "local",
                "pool": "default",
                "volume": "cimi-1-vda.qcow2",
                "format": "qcow2",
                "machine": "machines/1",
                "target": "vda",
                "as_it_is": False,
            },
            "last": True,
        },
    ),
    (
        WritePackage("<Envelope/>", (PackedFile("file1", "shop-disk1.vmdk"),), ("a note",), "shop"),
        {
            "name": "shop",
            "descriptor": "<Envelope/>",
            "files": [{"id": "file1", "name": "shop-disk1.vmdk"}],
            "caller": ASKED_BY,
            "notes": ["a note"],
        },
    ),
    (
        DeliverPackage("/exports/me/shop.ova", directory=False, replace=True),
        {"path": "/exports/me/shop.ova", "directory": False, "replace": True},
    ),
    (SettlePackage(keep=True), {"keep": True}),
)


@pytest.mark.parametrize(("step", "arguments"), PLANS, ids=lambda value: type(value).__name__)
def test_a_step_is_written_with_the_keys_that_it_always_had_and_read_again(
    step: Step, arguments: dict[str, object]
) -> None:
    written = json.loads(json.dumps(step.call().arguments))
    assert written.keys() <= arguments.keys()
    assert from_document(written, type(step)) == step
    assert from_document(arguments, type(step)) == step


CERTIFICATE = Certificate("CN=shop", "CN=shop", "00ff", "2026-01-01", "2027-01-01", signs=True)
NOTES: tuple[tuple[object, dict[str, object]], ...] = (
    (Begun("1", "00ff"), {"stamp": "1", "described": "00ff"}),
    (
        Arrived(True, CERTIFICATE, "/images/shop.ova", "1", {"file1": (512, 1024)}),
        {
            "verified": True,
            "certificate": {
                "subject": "CN=shop",
                "issuer": "CN=shop",
                "fingerprint": "00ff",
                "not_before": "2026-01-01",
                "not_after": "2027-01-01",
                "signs": True,
            },
            "archive": "/images/shop.ova",
            "stamp": "1",
            "parts": {"file1": [512, 1024]},
        },
    ),
    (
        Written("shop", (("shop-disk1.vmdk", 7),), 1_700_000_000),
        {"name": "shop", "parts": [["shop-disk1.vmdk", 7]], "modified": 1_700_000_000},
    ),
    (FileIdentity(1, 2, 3), {"device": 1, "inode": 2, "modified": 3}),
)


@pytest.mark.parametrize(("note", "document"), NOTES, ids=lambda value: type(value).__name__)
def test_a_note_is_written_as_always_and_read_again(note: object, document: dict[str, object]) -> None:
    assert json.loads(json.dumps(to_document(note))) == document
    assert from_document(document, type(note)) == note


def test_a_place_that_the_store_could_not_open_is_never_taken_for_a_path() -> None:
    source = from_document(
        {"kind": "upload", "place": {SEALED: f"{UNOPENED}v1"}, "descriptor": False, "upload": "1"}, PackageSource
    )
    with pytest.raises(Conflict, match="cannot be read"):
        _ = source.path


def test_entries_of_a_list_are_taken_out_by_their_places_as_numbers() -> None:
    document = {"entries": list(range(12)), "names": {"a": 1, "b": 2}}
    ways: list[tuple[str | int, ...]] = [("entries", 2), ("names", "a"), ("entries", 10), ("entries", 9)]
    assert without(document, ways) == {"entries": [0, 1, 3, 4, 5, 6, 7, 8, 11], "names": {"b": 2}}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path / "store.db")
    yield store
    await store.close()


async def test_what_a_part_was_made_as_by_an_earlier_gateway_is_found(store: Store) -> None:
    """It remembered a part of a package by a key that no client can send, with the fingerprint of its request."""
    job = new_job(Plan("add", "machineImages", "me", ()), "RUNNING")
    request = Request("MachineImage", "machineImages", {"name": "web disk 1"})
    asking = once(CALLER, "jobs/import", "MachineImage:file1")
    async with store.transaction() as transaction:
        await transaction.insert(job)
        answered = Answered("machineImages/1", job.path, existing=False)
        await remember(transaction, "me", "\0package jobs/import MachineImage:file1", request.fingerprint, answered)
    async with store.transaction() as transaction:
        outcome = await first_answer(transaction, asking, request)
        other = await first_answer(transaction, once(CALLER, "jobs/import", "MachineImage:file2"), request)
    assert outcome is not None
    assert (outcome.job, other) == (job.path, None)


async def test_what_a_part_is_made_as_is_found_again(store: Store) -> None:
    job = new_job(Plan("add", "machineImages", "me", ()), "RUNNING")
    asking = once(CALLER, "jobs/import", "MachineImage:file1").once
    assert asking is not None
    async with store.transaction() as transaction:
        assert await asking.recall(transaction) is None
        await transaction.insert(job)
        await asking.remember(transaction, "machineImages/1", job.path)
    async with store.transaction() as transaction:
        outcome = await asking.recall(transaction)
    assert outcome is not None
    assert outcome.job == job.path
