"""Puts the pages of the site together: ``make docs`` builds it of them, and fails for a link that leads nowhere.

The pages of docs and those at the root of the repository come into one folder, with links between them as they are
there then; what the program itself declares (resources, errors, commands) becomes pages of the reference.
"""

from __future__ import annotations

import inspect
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from cimi_command import main as cimi

from gateway import errors
from gateway.cimi.dialects import CIMI_1
from gateway.cimi.registry import TYPES
from gateway.cimi.resource_type import ResourceType
from gateway.cli import main as cimi_gateway

ROOT = Path(__file__).resolve().parent.parent
AT_ROOT = {"README.md": "overview.md"} | {
    name: name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
}
"""Pages at the root of the repository, by their names in the site; an index and a README cannot be in one folder."""
SECTIONS = {
    "Tutorial": ("tutorial", "overview"),
    "How to": (
        "howto",
        "operations",
        "access",
        "quotas",
        "cimi",
        "client-library",
        "clients",
        "images",
        "ovf",
        "hosts",
    ),
    "Reference": (
        "configuration",
        "reference/resources",
        "reference/commands",
        "reference/errors",
        "conformance",
        "performance",
        "CHANGELOG",
    ),
    "Explanation": (
        "networks",
        "storage",
        "snapshots",
        "systems",
        "monitoring",
        "audit",
        "security",
        "reliability",
        "SECURITY",
    ),
    "Development": ("ARCHITECTURE", "CONTRIBUTING", "testing", "glossary", "design/index"),
}
"""The pages in their four kinds, and those for developers."""
LINK = re.compile(r"\]\(([^)\s#]+\.md)(#[^)\s]*)?\)")


def gather(target: Path) -> None:
    """Write all pages of the site below a folder, in place of what is there."""
    shutil.rmtree(target, ignore_errors=True)
    for page in sorted((ROOT / "docs").rglob("*.md")):
        _copy(page, target, page.relative_to(ROOT / "docs"))
    for name, placed in AT_ROOT.items():
        _copy(ROOT / name, target, Path(placed))
    with (target / "index.md").open("a") as index:
        index.writelines(_contents(caption, pages) for caption, pages in SECTIONS.items())
    with (target / "design" / "index.md").open("a") as design:
        pages = sorted(page.stem for page in (ROOT / "docs" / "design").glob("*.md") if page.stem != "index")
        design.write(_contents("Design", tuple(pages)))
    shutil.copy(ROOT / "tools" / "sphinx_conf.py", target / "conf.py")
    (target / "reference").mkdir()
    for name, write in REFERENCE.items():
        (target / "reference" / name).write_text("\n".join(write()) + "\n")


def _contents(caption: str, pages: tuple[str, ...]) -> str:
    """Return a part of the table of contents; a page that stands in none fails the building of the site."""
    return "\n".join(("\n\n```{toctree}", f":caption: {caption}", ":hidden:", "", *pages, "```\n"))


def _copy(page: Path, target: Path, place: Path) -> None:
    path = target / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(LINK.sub(lambda match: _link(page, place, match), page.read_text()))


def _link(page: Path, place: Path, match: re.Match[str]) -> str:
    """Return a link of a page as it leads to the same page in the site; one that leads elsewhere stays, and fails."""
    if "://" in match[1]:
        return match[0]
    there = (page.parent / match[1]).resolve()
    if there.is_relative_to(ROOT / "docs"):
        placed = there.relative_to(ROOT / "docs")
    elif there.parent == ROOT and there.name in AT_ROOT:
        placed = Path(AT_ROOT[there.name])
    else:
        return match[0]
    up = "../" * (len(place.parts) - 1)
    return f"]({up}{placed.as_posix()}{match[2] or ''})"


# The reference


def resources() -> Iterator[str]:
    """Yield the page of all types with their attributes and actions."""
    yield "# Resources\n"
    yield "All types that the gateway serves, as its ResourceMetadata and its OpenAPI description have them, too."
    for described in TYPES.values():
        yield from _resource(described)


def _resource(described: ResourceType) -> Iterator[str]:
    yield f"\n## {described.kind}\n"
    yield f"`{CIMI_1.type_uri(described.kind)}`\n"
    below = f" of a {described.parent}" if described.parent else ""
    can = [("added", described.addable), ("edited", described.editable), ("deleted", described.deletable)]
    verbs = [verb for verb, offered in can if offered]
    yield f"In `{described.segment}`{below}; can be {', '.join(verbs) if verbs else 'read only'}.\n"
    yield "| Attribute | Type | |\n| --- | --- | --- |"
    for name, field in described.attributes.items():
        marks = ["the provider's"] * field.extension + ["write-only"] * field.write_only
        marks += ["mandatory"] * field.mandatory + ["read-only"] * (not field.writable and not field.at_create)
        yield f"| `{name}` | {field.type.value} | {_cell('; '.join([field.meaning, *marks]).strip('; '))} |"
    actions = [*described.actions, *described.collection_actions]
    if actions:
        yield "\n| Action | |\n| --- | --- |"
    for action in actions:
        yield f"| `{action.verb}` | {_cell(action.description)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def failures() -> Iterator[str]:
    """Yield the page of all errors that requests and Jobs may end with."""
    yield "# Errors\n"
    yield "Each is a Job document in state FAILED, whose `returnCode` is 10000 plus the status.\n"
    yield "| Status | `returnCode` | Means |\n| --- | --- | --- |"
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.GatewayError)]
    for kind in sorted(kinds, key=lambda kind: kind.return_code):
        meaning = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
        yield f"| {errors.status_of(kind.return_code)} | {kind.return_code} | {_cell(meaning)} |"


def commands() -> Iterator[str]:
    """Yield the page of both commands, as their own help has it."""
    yield "# Commands"
    for name, command in (("cimi", cimi), ("cimi-gateway", cimi_gateway)):
        yield from _command(name, command, 2)


def _command(name: str, command: click.Command, depth: int) -> Iterator[str]:
    context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100)
    yield f"\n{'#' * min(depth, 4)} {name}\n\n```text\n{command.get_help(context)}\n```"
    if isinstance(command, click.Group):
        for verb in command.list_commands(context):
            inner = command.get_command(context, verb)
            if inner is not None and not inner.hidden:
                yield from _command(f"{name} {verb}", inner, depth + 1)


REFERENCE: dict[str, Callable[[], Iterator[str]]] = {
    "resources.md": resources,
    "errors.md": failures,
    "commands.md": commands,
}


if __name__ == "__main__":
    gather(Path(sys.argv[1]))
