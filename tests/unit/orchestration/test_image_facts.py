"""What is kept of images and Volumes is read from JSON of earlier versions, and written as it was."""

from __future__ import annotations

import json

import pytest

from gateway.orchestration.images.facts import (
    FileSource,
    Filling,
    KeptImage,
    Location,
    PackageSource,
    Route,
    Source,
    Stated,
    UploadSource,
    UrlSource,
)
from gateway.orchestration.images.steps import SettleImage, filling_steps
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.store.durable import from_document, to_document
from gateway.store.model import Document

SOURCES: list[tuple[Document, Source]] = [
    ({"kind": "file", "path": "/images/a.raw", "size": 3}, FileSource("/images/a.raw", size=3)),
    ({"kind": "package", "path": "/staging/b", "size": 4}, PackageSource("/staging/b", size=4)),
    (
        {
            "kind": "package",
            "path": "/a.ova",
            "offset": 0,
            "size": 5,
            "stamp": "1.2",
            "parents": [{"path": "/p"}, {"path": "/a.ova", "offset": 9, "size": 2, "stamp": "1.2"}],
        },
        PackageSource("/a.ova", 0, 5, "1.2", (Location("/p"), Location("/a.ova", 9, 2, "1.2"))),
    ),
    ({"kind": "url", "url": "https://host/x", "told": {"size": 3}}, UrlSource("https://host/x", stated=Stated(3))),
    ({"kind": "upload", "size": 7}, UploadSource(7)),
]


@pytest.mark.parametrize(("document", "source"), SOURCES)
def test_a_source_is_told_apart_by_its_kind(document: Document, source: Source) -> None:
    kept = Filling("local", "default", source=source, way=Route.STAGED)
    written = json.loads(json.dumps(to_document(kept)))
    assert written == {"host": "local", "pool": "default", "source": document, "way": "staged"}
    assert from_document(written, Filling) == kept


def test_the_nulls_of_earlier_versions_are_read() -> None:
    source: Document = {"kind": "url", "url": "u", "size": None, "ranges": False, "validator": None, "told": {}}
    assert from_document({"host": "local", "source": source}, KeptImage).source == UrlSource("u")


def test_a_volume_of_an_earlier_version_is_read() -> None:
    document = {"host": "local", "pool": "p", "volume": "v.raw", "format": "raw", "bytes": 9, "overlay": False}
    expected = KeptVolume(host="local", pool="p", volume="v.raw", format="raw", bytes=9)
    assert from_document(document, KeptVolume) == expected


def test_steps_are_called_as_ever() -> None:
    calls = [step.call() for step in filling_steps("machineImages/1", Route.STAGED)]
    assert [(call.step, call.weight) for call in calls] == [("stage image", 2), ("convert image", 1), ("copy image", 2)]
    assert all(call.arguments == {"resource": "machineImages/1"} for call in calls)
    assert SettleImage("machineImages/1", "add").call().arguments == {"resource": "machineImages/1", "action": "add"}
