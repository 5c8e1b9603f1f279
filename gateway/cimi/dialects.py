"""The versions of the standard and how their URIs are spelled (DSP0263 4.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

EXTENSION_NAMESPACE = "http://cimi-gateway.org/ns/1"
"""Namespace of what this provider adds to the standard."""

EXTENSION_VERBS = frozenset({"console", "upload", "download", "package", "fetch"})
EXTENSION_TYPES = frozenset({"JobLine", "CatalogImage", "User", "Project", "ProjectMember", "Token", "Quota"})
PLAIN_VERBS = frozenset({"add", "edit", "delete"})


@dataclass(frozen=True, slots=True)
class Dialect:
    """A namespace of the standard. ``versions`` are the accepted CIMI-Specification-Version values."""

    namespace: str
    root: str
    """Path of the Cloud Entry Point."""
    version: str
    """What responses say in CIMI-Specification-Version."""
    versions: tuple[str, ...]

    def type_uri(self, name: str) -> str:
        """Return the URI of a type, or of another word of the standard, such as a capability's."""
        return f"{self.namespace_of(name)}/{name}"

    def namespace_of(self, kind: str) -> str:
        """Return the namespace of a type, or of the collections of one."""
        return EXTENSION_NAMESPACE if kind.removesuffix("Collection") in EXTENSION_TYPES else self.namespace

    def rel(self, verb: str) -> str:
        """Return the ``rel`` of an operation: plain for add, edit and delete, else the action's URI."""
        if verb in PLAIN_VERBS:
            return verb
        namespace = EXTENSION_NAMESPACE if verb in EXTENSION_VERBS else self.namespace
        return f"{namespace}/action/{verb}"

    def version_for(self, header: str) -> str | None:
        """Return the version that a CIMI-Specification-Version header asks for; None when it is not this dialect's.

        The first entry that matches wins; one matches when it agrees in as many fields as both have. Entries that are
        no versions are skipped.
        """
        wanted = [entry.strip().split(".") for entry in header.split(",")]
        numeric = [fields for fields in wanted if all(field.isdecimal() for field in fields)]
        matching = (version for fields in numeric for version in self.versions if _agree(fields, version.split(".")))
        return next(matching, None)


def _agree(wanted: list[str], offered: list[str]) -> bool:
    return all(left == right for left, right in zip(wanted, offered, strict=False))


CIMI_1 = Dialect(
    namespace="http://schemas.dmtf.org/cimi/1",
    root="/cimi/",
    version="1.1.0",
    versions=("1.1.0", "1.0.1", "1.0.0"),
)


_STANDARD = re.compile(r"https?://schemas\.dmtf\.org/cimi/\d+/(?:[a-z]+/)*((?:[A-Z]\w*/)?\w+)")


def bare_term(uri: str) -> str:
    """Return the word behind one of the standard's own URIs (``mapped``, ``event/state``) of any version.

    A capability's stands with its type: ``Machine/UserData``.
    """
    match = _STANDARD.fullmatch(uri.strip())
    return match.group(1) if match else uri.strip()


def verb_of(action: str) -> str:
    """Return the verb at the end of an action URI; padding, doubled schemes and letter case do not matter."""
    return action.strip().rstrip("/").rpartition("/")[2].lower()
