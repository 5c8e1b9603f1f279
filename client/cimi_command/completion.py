"""``cimi completion``: what a shell has to load to complete verbs, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cimi_command.options import verb

SHELLS = ("bash", "zsh", "fish")


@verb()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion of a shell.

    \b
    bash: cimi completion bash >~/.local/share/bash-completion/completions/cimi
    zsh:  cimi completion zsh >~/.zfunc/_cimi      (with ~/.zfunc in fpath)
    fish: cimi completion fish >~/.config/fish/completions/cimi.fish
    """
    from cimi_command.tree import main

    kind = get_completion_class(shell)
    assert kind is not None, shell
    click.echo(kind(main, {}, "cimi", "_CIMI_COMPLETE").source())
