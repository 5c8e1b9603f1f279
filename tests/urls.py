"""What the URLs of resources say."""

from __future__ import annotations


def uuid_of(machine: str) -> str:
    return machine.rstrip("/").rpartition("/")[2]
