"""What is served is, byte for byte, what was served."""

from __future__ import annotations

import asyncio

import pytest

from gateway.cimi.job import JOB_STATES
from gateway.cimi.registry import TYPES
from tests.golden.documents import DOCUMENTS, MEDIA, Served, different, served

NAMES = sorted(path.name for path in DOCUMENTS.iterdir())
EVERY_FORMAT = pytest.mark.parametrize("media", MEDIA)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return asyncio.run(served(tmp_path_factory.mktemp("golden")))


@pytest.fixture(scope="module")
def changed(fresh: Served) -> list[str]:
    return different({name: body for name, body in fresh.bodies.items() if name in NAMES})


@pytest.mark.parametrize("name", NAMES)
def test_a_document_is_served_as_before(name: str, fresh: Served, changed: list[str]) -> None:
    assert name in fresh.bodies
    if name in changed:
        assert fresh.bodies[name] == (DOCUMENTS / name).read_bytes().decode()
    assert name not in changed


def test_every_document_that_is_served_is_a_golden_one(fresh: Served) -> None:
    assert sorted(fresh.bodies) == NAMES


@EVERY_FORMAT
def test_every_type_and_its_collection_have_a_golden_document(media: str) -> None:
    collections = {f"{kind}Collection" for kind, declared in TYPES.items() if not declared.singleton}
    assert sorted(name for name in {*TYPES, *collections} if f"{name}.{media}" not in NAMES) == []


@EVERY_FORMAT
def test_every_state_that_a_job_can_be_seen_in_has_a_golden_document(media: str) -> None:
    """None is QUEUED: a Job begins with the commit that writes it."""
    assert [state for state in JOB_STATES if f"Job.{state}.{media}" not in NAMES] == ["QUEUED"]
