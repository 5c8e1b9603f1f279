"""Users, projects and tokens of the gateway that runs on this host, by its socket."""

from __future__ import annotations

from gateway.cli.account_types import AccountError, Member, ShownToken, TokenWish
from gateway.cli.local import Document, LocalGateway, path_of
from gateway.clock import timestamp


class LocalAccounts:
    """The accounts of a gateway that answers at its socket."""

    def __init__(self, gateway: LocalGateway) -> None:
        self._gateway = gateway

    # Users

    def users(self) -> list[tuple[str, str]]:
        """Return the name and the role of each user."""
        return [(user["name"], user["role"]) for user in self._gateway.items("users", "users")]

    def add_user(self, name: str, role: str, password: str | None, *, inherits: bool) -> None:
        """Make a user."""
        document: Document = {"name": name, "role": role, "password": password, "inherits": inherits}
        self._gateway.ask("POST", "users", document)

    def set_password(self, name: str, password: str) -> None:
        """Change a user's password."""
        self._gateway.ask("PUT", f"{self._user(name)}?$select=password", {"password": password})

    def set_role(self, name: str, role: str) -> None:
        """Change a user's role."""
        self._gateway.ask("PUT", f"{self._user(name)}?$select=role", {"role": role})

    def remove_user(self, name: str) -> None:
        """Remove a user."""
        self._gateway.ask("DELETE", self._user(name))

    def _user(self, name: str) -> str:
        return self._path("users", "users", "user", name=name)

    def _path(self, collection: str, key: str, kind: str, **wanted: str) -> str:
        """Return the path of what has this value of an attribute. Raises AccountError when nothing has."""
        item = self._gateway.find(collection, key, **wanted)
        if item is None:
            raise AccountError(f"there is no {kind} {next(iter(wanted.values()))}")
        return path_of(item)

    # Projects

    def projects(self) -> list[tuple[str, list[Member]]]:
        """Return the name of each project, with its members."""
        return [(one["name"], self._members(one)) for one in self._gateway.items("projects", "projects")]

    def _members(self, project: Document) -> list[Member]:
        members = self._gateway.items(f"{path_of(project)}/members", "projectMembers")
        return [Member(project["name"], member["userName"], member["role"]) for member in members]

    def add_project(self, name: str) -> None:
        """Make a project."""
        self._gateway.ask("POST", "projects", {"name": name})

    def remove_project(self, name: str) -> None:
        """Remove a project."""
        self._gateway.ask("DELETE", self._project(name))

    def _project(self, name: str) -> str:
        return self._path("projects", "projects", "project", name=name)

    def grant(self, project: str, user: str, role: str) -> None:
        """Give a user a role in a project, in place of the one that they have."""
        members = f"{self._project(project)}/members"
        member = self._gateway.find(members, "projectMembers", userName=user)
        if member is None:
            self._gateway.ask("POST", members, {"userName": user, "role": role})
        else:
            self._gateway.ask("PUT", f"{path_of(member)}?$select=role", {"role": role})

    def withdraw(self, project: str, user: str) -> None:
        """Take a user's role in a project."""
        members = f"{self._project(project)}/members"
        self._gateway.ask("DELETE", self._path(members, "projectMembers", "member", userName=user))

    # Tokens

    def tokens(self) -> list[ShownToken]:
        """Return all tokens."""
        names = {path_of(one): one["name"] for one in self._gateway.items("projects", "projects")}
        return [_shown(token, names) for token in self._gateway.items("tokens", "tokens")]

    def add_token(self, wish: TokenWish) -> str:
        """Make a token, and return what is sent as Bearer."""
        document: Document = {
            "userName": wish.user,
            "name": wish.name,
            "role": wish.role,
            "readOnly": wish.reads_only,
            "project": {"href": self._project(wish.project)} if wish.project is not None else None,
            "expires": timestamp(wish.expires) if wish.expires is not None else None,
        }
        return str(self._gateway.ask("POST", "tokens", document)["token"])

    def revoke(self, identity: str) -> None:
        """Revoke a token."""
        self._gateway.ask("DELETE", f"tokens/{identity}")


def _shown(token: Document, names: dict[str, str]) -> ShownToken:
    path = path_of({"id": token["project"]["href"]}) if "project" in token else ""
    return ShownToken(
        token["id"].rpartition("/")[2],
        token["userName"],
        token.get("name", ""),
        token.get("role", ""),
        token.get("readOnly", False),
        names.get(path, path),
        token.get("expires", ""),
        token.get("lastUse", ""),
    )
