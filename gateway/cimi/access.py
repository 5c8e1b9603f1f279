"""User, Project, ProjectMember and Token: who may come in, and as whom; this provider's own types."""

from __future__ import annotations

from gateway.cimi.fields import Boolean, DateTime, Enumeration, String
from gateway.cimi.references import CollectionRef, Ref
from gateway.cimi.resource_type import Common, ResourceType

ROLES = ("admin", "operator", "viewer")
LONGEST_NAME = 64
"""Characters of the name of a user or a project."""


class UserSchema(Common):
    """The attributes of a User."""

    name = String(mandatory=True, most_characters=LONGEST_NAME, meaning="the name to log in by; it stays")
    role = Enumeration(
        *ROLES,
        mandatory=True,
        meaning="admin of everything, or operator or viewer of the user's own project",
    )
    password = String(write_only=True)
    inherits = Boolean(
        writable=False, at_create=True, write_only=True, meaning="the user gets what an earlier one of this name left"
    )
    project = Ref("Project", writable=False, meaning="the project of the user's own, in which requests are by default")


class ProjectSchema(Common):
    """The attributes of a Project."""

    name = String(mandatory=True, most_characters=LONGEST_NAME, meaning="the name to choose it by; it stays")
    members = CollectionRef("ProjectMember")


class ProjectMemberSchema(Common):
    """The attributes of a ProjectMember: a user, and the role of that user in the project."""

    userName = String(mandatory=True, most_characters=LONGEST_NAME)  # noqa: N815 - as of a Credential
    role = Enumeration(*ROLES, mandatory=True, meaning="an admin of a project is an operator who chooses its members")


class TokenSchema(Common):
    """The attributes of a Token."""

    userName = String(writable=False, at_create=True, most_characters=LONGEST_NAME)  # noqa: N815
    role = Enumeration(
        *ROLES, writable=False, at_create=True, meaning="the most that it allows; never more than its user may"
    )
    readOnly = Boolean(writable=False, at_create=True)  # noqa: N815
    project = Ref("Project", writable=False, at_create=True, meaning="the one project in which it counts")
    expires = DateTime(writable=False, at_create=True)
    lastUse = DateTime(writable=False, meaning="to within some minutes")  # noqa: N815
    token = String(writable=False, meaning="what is sent as Bearer; shown once, in the answer to its creation")


TYPES = (
    ResourceType(
        "User", UserSchema, "users", addable=True, editable=True, deletable=True, mandatory=frozenset({"name", "role"})
    ),
    ResourceType(
        "Project", ProjectSchema, "projects", addable=True, editable=True, deletable=True, mandatory=frozenset({"name"})
    ),
    ResourceType(
        "ProjectMember",
        ProjectMemberSchema,
        "members",
        parent="Project",
        addable=True,
        editable=True,
        deletable=True,
        mandatory=frozenset({"userName", "role"}),
    ),
    ResourceType("Token", TokenSchema, "tokens", addable=True, deletable=True),
)
