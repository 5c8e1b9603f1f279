"""``cimi ssh``: log into the guest of a Machine."""

from __future__ import annotations

import asyncio
import os
import re
import time
from ipaddress import ip_address

import cimi_client
import click

from cimi_command.kinds import name_of
from cimi_command.launch import SSH_USER
from cimi_command.machines import addresses_by_machine
from cimi_command.options import verb
from cimi_command.session import Session, run
from cimi_command.words import say

PATIENCE = 120.0
"""Seconds in which a guest that runs is to get an address."""
LOOK_EVERY = 2.0
BOOTING = 60.0
"""Seconds in which a guest that has an address is to listen; then ssh says itself why it does not."""
PORT = 22
HOST_KEYS = ("-o", "StrictHostKeyChecking=accept-new")
"""A guest that nobody has met cannot prove who it is; one that was met must."""
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)


@verb(context_settings={"ignore_unknown_options": True})
@name_of("machines")
@click.option("--login", "-l", help="Log in as; else as the property sshUser says, or as root.")
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
def ssh(name: str, login: str | None, words: tuple[str, ...]) -> None:
    """Log into the guest of NAME at the address that it uses. What stands behind the name is run there."""
    log_in(name, login, words)


def log_in(name: str, login: str | None, words: tuple[str, ...], identity: str | None = None) -> None:
    """Become ssh, with the private key in the file ``identity``. Raises SystemExit when there is nowhere to log in."""
    options = ["-i", identity] if identity else []
    command = run(lambda session: _command(session, name, login, [*options, *HOST_KEYS]))
    command += words
    try:
        os.execvp(command[0], command)  # noqa: S606 - every word of it was checked
    except FileNotFoundError:
        raise click.ClickException("there is no ssh on this host") from None


async def _command(session: Session, name: str, login: str | None, options: list[str]) -> list[str]:
    machine = await session.client.find("machines", name)
    user = login or machine.properties.get(SSH_USER, "root")
    if USER.fullmatch(user) is None:
        raise cimi_client.CimiError(f"{user!r} is no user name")
    address = await _address(session, machine.id)
    await _listening(address)
    # Another guest may have had the address before: the key is that of the Machine.
    return ["ssh", *options, "-o", f"HostKeyAlias={machine.key}", f"{user}@{address}"]


async def _listening(address: str) -> None:
    """Wait until the guest takes connections of ssh, as one that has just booted will."""
    until = time.monotonic() + BOOTING
    while time.monotonic() < until:
        try:
            async with asyncio.timeout(LOOK_EVERY):
                _, writer = await asyncio.open_connection(address, PORT)
        except (OSError, TimeoutError):
            await asyncio.sleep(LOOK_EVERY / 4)
            continue
        writer.close()
        return


async def _address(session: Session, machine: str) -> str:
    """Return an address that the guest uses, once it has one; what a guest says that is none, is none."""
    until = time.monotonic() + PATIENCE
    while True:
        for text in (await addresses_by_machine(session)).get(machine, ()):
            try:
                return str(ip_address(text))
            except ValueError:
                say(f"{text!r} is no address")
        state = (await session.client.get(machine)).state
        if state != "STARTED" or time.monotonic() > until:
            raise cimi_client.CimiError(f"{machine} is {state}, and its guest has no address that is known")
        await asyncio.sleep(LOOK_EVERY)
