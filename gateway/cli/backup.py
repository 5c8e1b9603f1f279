"""``backup`` and ``restore``: the gateway's own state in one file, and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.backup import making, restoring
from gateway.backup.archive import Manifest
from gateway.backup.errors import BackupError
from gateway.cli.common import config_option, plainly, say, settings_of

F = TypeVar("F", bound=Callable[..., Any])


def passphrase_option(function: F) -> F:
    """Give a subcommand the option ``--passphrase-file FILE``."""
    return click.option(
        "--passphrase-file",
        type=click.Path(path_type=Path),
        help="Seal or open the backup with the first line of this file.",
    )(function)


def _passphrase(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BackupError(f"{file}: cannot be read: {error}") from None
    return lines[0] if lines else ""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@passphrase_option
@config_option
def backup(file: Path, passphrase_file: Path | None, config: Path) -> None:
    """Write store, keys, users and configuration to FILE, also while the gateway runs.

    Disks and images, which lie in storage pools, are not in it, nor are files that wait to be imported.
    """
    settings = settings_of(config)
    with plainly():
        made = making.back_up(settings, file.absolute(), _passphrase(passphrase_file))
    sealed = "sealed" if passphrase_file is not None else "with the keys in it, so keep it where nobody else reads it"
    say(f"{file}: {made.size} bytes, {sealed}")
    _tell(made.manifest)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Only say whether FILE is whole, and can be used by this version.")
@click.option("--configuration", is_flag=True, help="Take the configuration and certificate from FILE, too.")
@passphrase_option
@config_option
def restore(file: Path, check: bool, configuration: bool, passphrase_file: Path | None, config: Path) -> None:
    """Put back what ``backup`` has written to FILE, while the gateway is stopped.

    What is there is kept beside it, under a name that ends in before-restore and the time.
    """
    with plainly():
        passphrase = _passphrase(passphrase_file)
        if check:
            _tell(restoring.check(file, passphrase))
            return
        restored = restoring.restore(config.absolute(), file, passphrase, configuration=configuration)
    _tell(restored.manifest)
    for label, paths in (("restored", restored.files), ("left as it is", restored.left), ("kept", restored.aside)):
        for path in paths:
            say(f"{label}: {path}")
    for name in restored.unplaced:
        say(f"not restored: {name}, for which the configuration has no place; see --configuration")
    if restored.interrupted:
        say(f"{restored.interrupted} Jobs had not ended then: they end with the gateway's start, and change nothing")
    say("after the start, `cimi-gateway doctor` names the guests that have come since")


def _tell(manifest: Manifest) -> None:
    say(f"made {manifest.made} by cimi-gateway {manifest.gateway}: {', '.join(file.name for file in manifest.files)}")
