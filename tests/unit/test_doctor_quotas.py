"""The doctor's look at quotas."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.config import load
from gateway.doctor.quotas import quotas
from gateway.store import usage
from gateway.store.store import Store
from gateway.store.usage import Allowance, allow
from tests.unit.configurations import configured


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "gateway.db")
    yield opened
    await opened.close()


async def machines_of(store: Store, *projects: str) -> None:
    async with store.transaction() as transaction:
        usage.count(transaction, {(f"project/{project}", "machines"): 1 for project in projects})


def look(tmp_path: Path, text: str = "") -> tuple[str, str]:
    finding = quotas(load(configured(tmp_path, f'[store]\npath = "gateway.db"\n{text}')))
    return finding.level, finding.message


async def test_several_projects_without_any_bound_are_told(store: Store, tmp_path: Path) -> None:
    await machines_of(store, "ann", "bob")
    assert look(tmp_path) == ("warning", "2 projects share this gateway, and each of them may take all there is")


@pytest.mark.parametrize("text", ["", "[quotas]\nmachines = 5"])
async def test_one_project_or_bounds_are_well(store: Store, tmp_path: Path, text: str) -> None:
    await machines_of(store, "ann", *(["bob"] if text else []))
    assert look(tmp_path, text)[0] == "ok"


async def test_a_bound_for_one_project_is_one(store: Store, tmp_path: Path) -> None:
    await machines_of(store, "ann", "bob")
    async with store.transaction() as transaction:
        allow(transaction, "project/bob", [Allowance("machines", 9)])
    assert look(tmp_path)[0] == "ok"


async def test_what_is_full_is_named(store: Store, tmp_path: Path) -> None:
    await machines_of(store, "ann")
    assert "project/ann: machines 1 of 1" in look(tmp_path, "[quotas]\nmachines = 1")[1]


def test_before_the_first_start_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    assert look(tmp_path)[0] == "ok"
