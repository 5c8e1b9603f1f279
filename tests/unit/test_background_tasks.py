"""No task of the gateway or of a driver lives beside the supervision, unless who starts it waits for its end."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
STARTERS = frozenset({"create_task", "ensure_future", "TaskGroup"})
SUPERVISION = "drivers/supervision.py"
AWAITED = {
    ("drivers/libvirt/domains.py", "Domains.save"),
    ("drivers/libvirt/networks.py", "Networks.occupied_ranges"),
    ("drivers/libvirt/storage.py", "Storage.clone_volume"),
    ("drivers/libvirt/storage.py", "Storage.upload_volume"),
    ("drivers/libvirt/streams.py", "Streams._begun"),
    ("gateway/jobs/runner.py", "JobRunner._begin"),
    ("gateway/jobs/queues.py", "Place.take"),
    ("gateway/orchestration/images/pieces.py", "ahead"),
    ("gateway/orchestration/common/reserve.py", "Reserve.watch"),
    ("gateway/orchestration/attachments/steps.py", "unplug"),
    ("gateway/orchestration/interfaces/address_watch.py", "AddressWatch.look"),
    ("gateway/orchestration/common/step.py", "unless_stopped"),
    ("gateway/orchestration/systems/nested.py", "together"),
    ("gateway/orchestration/systems/packages/disk_step.py", "ImportDisks.run"),
    ("gateway/orchestration/systems/unmaking.py", "ComponentRemover.run"),
    ("gateway/jobs/shares.py", "Shares.until_fair"),
    ("gateway/store/store.py", "uninterrupted"),
    ("gateway/systemd_notify.py", "more_time"),
}
"""Functions whose tasks are awaited by whoever started them, so that what they raise comes out there. The runner's own,
which are the jobs, take every error by themselves and are waited for by ``drain``.
"""


def started_in(path: Path) -> Iterator[str]:
    """The functions of a file, with their classes, that start tasks."""

    def visit(node: ast.AST, names: tuple[str, ...]) -> Iterator[str]:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names = (*names, node.name)
        if isinstance(node, ast.Attribute | ast.Name):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
            if name in STARTERS:
                yield ".".join(names[:2])
        for child in ast.iter_child_nodes(node):
            yield from visit(child, names)

    yield from visit(ast.parse(path.read_text()), ())


def unsupervised() -> set[tuple[str, str]]:
    files = [path for room in ("gateway", "drivers") for path in (ROOT / room).rglob("*.py")]
    names = {(str(path.relative_to(ROOT)), name) for path in files for name in started_in(path)}
    return {(path, name) for path, name in names if path != SUPERVISION}


def test_every_task_is_supervised_or_awaited_by_who_starts_it() -> None:
    assert unsupervised() - AWAITED == set()


def test_every_exception_to_that_is_still_there() -> None:
    assert AWAITED - unsupervised() == set()


@pytest.mark.parametrize("line", ["asyncio.create_task(it())", "asyncio.ensure_future(it())", "asyncio.TaskGroup()"])
def test_a_task_that_is_started_in_any_way_is_seen(line: str, tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(f"import asyncio\n\nclass Odd:\n    def start(self):\n        {line}\n")
    assert list(started_in(tmp_path / "odd.py")) == ["Odd.start"]
