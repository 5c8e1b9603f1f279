"""Questions about projects, and about what is in them."""

from __future__ import annotations

from gateway.store.model import COLUMNS, Resource, from_row
from gateway.store.questions import Fetching
from gateway.store.transaction import Transaction

OF_THE_PROJECT_ITSELF = ("Project", "ProjectMember", "User", "Token", "Job")
"""Kinds that keep no project from going: they tell of it, or of what was done in it."""


async def every_member(store: Fetching) -> list[Resource]:
    """Return the members of all projects; by the index of the kinds."""
    sql = f"SELECT {COLUMNS} FROM resources WHERE kind = 'ProjectMember'"  # noqa: S608
    return [from_row(row) for row in await store.fetch(sql)]


async def has_users(store: Fetching) -> bool:
    """Return whether there is any user; by the index of the kinds."""
    return bool(await store.fetch("SELECT 1 FROM resources WHERE kind = 'User' LIMIT 1"))


async def projects_in_use(store: Fetching) -> list[str]:
    """Return the ids of all projects that any resource is in; every resource is looked at."""
    rows = await store.fetch("SELECT DISTINCT project FROM resources WHERE project <> '' ORDER BY project")
    return [project for (project,) in rows]


async def sizes_of_project(store: Fetching, project: str) -> list[tuple[str, int]]:
    """Return kind and number of what is in a project besides what tells of it; every resource is looked at."""
    marks = ", ".join("?" for _ in OF_THE_PROJECT_ITSELF)
    sql = (
        f"SELECT kind, count(*) FROM resources WHERE project = ? AND kind NOT IN ({marks}) "  # noqa: S608
        "GROUP BY kind ORDER BY kind"
    )
    return [(kind, size) for kind, size in await store.fetch(sql, (project, *OF_THE_PROJECT_ITSELF))]


async def take_project_id(transaction: Transaction, identity: str) -> bool:
    """Take an id for a new project, and return whether no project ever had it; by the primary key."""
    return await transaction.change("INSERT OR IGNORE INTO project_ids (id) VALUES (?)", (identity,)) > 0
