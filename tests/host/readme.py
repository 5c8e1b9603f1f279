"""The commands of the README, as who follows it types them."""

from __future__ import annotations

import shlex

from tests.source import ROOT


def commands_of(section: str) -> list[str]:
    """Return the commands in the indented blocks of a section, each on one line, without the comments behind them."""
    text = (ROOT / "README.md").read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    block = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    return [line.partition("  #")[0].strip() for line in block.replace("\\\n", " ").splitlines()]


def packages_of(section: str) -> list[str]:
    """Return the Debian packages which the section installs first."""
    (command,) = [command for command in commands_of(section) if command.startswith("apt-get install")]
    return [word for word in shlex.split(command)[2:] if not word.startswith("-")]
