"""The command ``cimi``: one file for each family of verbs, loaded when it is called."""

from __future__ import annotations

from cimi_command.tree import main

__all__ = ["main"]
