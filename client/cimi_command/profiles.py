"""Profiles: the providers that somebody has logged in at, in one file of their own (mode 0600)."""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import click

NAMES = ("url", "user", "password", "token", "insecure", "authorities")


@dataclass(frozen=True)
class Profile:
    """A provider, and the credentials there."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    insecure: bool = False
    authorities: str = ""


@dataclass
class Profiles:
    """All profiles, and the name of the one that is meant when none is named."""

    default: str = ""
    named: dict[str, Profile] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Profiles:
        """Return what the file has; nothing without one. Raises ClickException for a file that is wrong."""
        path = file()
        try:
            content = tomllib.loads(path.read_text())
            entries = content.get("profiles", {})
            named = {
                name: Profile(**{key: entry[key] for key in NAMES if key in entry}) for name, entry in entries.items()
            }
            return cls(str(content.get("default", "")), named)
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise click.ClickException(f"{path}: {error}") from None

    def write(self) -> None:
        """Write the file, readable for its owner alone."""
        path = file()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [f"default = {_literal(self.default)}\n"]
        for name, profile in self.named.items():
            lines.append(f"\n[profiles.{_literal(name)}]\n")
            values = {entry.name: getattr(profile, entry.name) for entry in fields(profile)}
            lines += [f"{key} = {_literal(value)}\n" for key, value in values.items() if value]
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".config")
        with os.fdopen(descriptor, "w") as written:
            written.writelines(lines)
        os.replace(temporary, path)  # noqa: PTH105 - both are names

    def chosen(self, name: str | None) -> Profile | None:
        """Return the profile of a name, or the default one; None when nobody has logged in anywhere.

        Raises ClickException for a name that there is not.
        """
        wanted = name or self.default
        if not wanted:
            return None
        if wanted not in self.named:
            have = ", ".join(self.named) or "none"
            raise click.ClickException(f"there is no profile {wanted!r} in {file()}; there is {have}")
        return self.named[wanted]


def _profile(entry: Mapping[str, Any]) -> Profile:
    return Profile(**{key: entry[key] for key in NAMES if key in entry})


def file() -> Path:
    """Return where the profiles are."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "cimi" / "config.toml"


def environment() -> Mapping[str, str]:
    """Return what the environment says of the provider, by the names that profiles have."""
    names = {"url": "CIMI_URL", "user": "CIMI_USER", "password": "CIMI_PASSWORD", "token": "CIMI_TOKEN"}
    return {key: os.environ[name] for key, name in names.items() if os.environ.get(name)}


def _literal(value: object) -> str:
    """Return a value as TOML has it, whose strings are those of JSON but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
