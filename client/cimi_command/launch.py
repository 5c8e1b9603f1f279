"""``cimi launch``: an image becomes a Machine that runs."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cimi_command import units
from cimi_command.catalog import image_called
from cimi_command.completing import names_of
from cimi_command.making import make, text_of
from cimi_command.options import verb, waiting
from cimi_command.session import Session, run

if TYPE_CHECKING:
    from cimi_client import Json, Resource

SSH_USER = "sshUser"
"""Property of a Machine that says whom `cimi ssh` logs in as."""
CPU = 1
MEMORY = 1_048_576
"""What a Machine gets when nothing is said: kibibytes."""


@dataclass(frozen=True)
class Launch:
    """A wish for a Machine, as it was written."""

    image: str
    name: str | None
    config: str | None
    cpu: int | None
    memory: int | None
    disk: int | None
    login: str | None
    key: str | None
    user_data: str | None
    network: tuple[str, ...]
    volume: tuple[str, ...]
    stopped: bool

    @property
    def identity(self) -> str | None:
        """The file with the private key that belongs to ``key``; None where it does not lie beside that."""
        private = (self.key or "").removesuffix(".pub")
        return private if private != self.key and Path(private).is_file() else None


@verb()
@click.argument("image", shell_complete=names_of("machineImages"))
@click.argument("name", required=False)
@click.option("--config", help="A MachineConfiguration, such as small.", shell_complete=names_of("machineConfigs"))
@click.option("--cpu", type=int, help="Virtual CPUs, instead of a configuration's.")
@click.option("--memory", type=units.memory, metavar="AMOUNT", help="Memory, such as 2GiB.")
@click.option("--disk", type=units.capacity, metavar="AMOUNT", help="Size of the first disk, such as 20GB.")
@click.option("--login", help="The user that the key is for, where the image does not say.")
@click.option("--key", metavar="FILE", help="A public key that may log in.")
@click.option("--user-data", metavar="FILE", help="What cloud-init is to do.")
@click.option("--network", multiple=True, help="A Network to be in.", shell_complete=names_of("networks"))
@click.option("--volume", multiple=True, help="A Volume to connect.", shell_complete=names_of("volumes"))
@click.option("--stopped", is_flag=True, help="Make it, and do not start it.")
@waiting
@click.option("--ssh", "then_ssh", is_flag=True, help="Log in when it is there.")
def launch(wait: bool, then_ssh: bool, **wanted: object) -> None:
    """Make a Machine called NAME of IMAGE, start it, and print its id.

    IMAGE is one that is there, or one of the catalogue, such as debian:13, which is fetched first.
    """
    launched = Launch(**wanted)  # type: ignore[arg-type]
    if then_ssh and (not wait or launched.stopped):
        raise click.UsageError("--ssh waits for a Machine that runs")
    machine = run(lambda session: _launch(session, launched, wait))
    if then_ssh and machine is not None:
        from cimi_command.ssh import log_in

        log_in(machine, launched.login, (), launched.identity)


async def _launch(session: Session, wanted: Launch, wait: bool) -> str | None:
    image = await image_called(session, wanted.image)
    login = wanted.login or image.properties.get(SSH_USER)
    if wanted.key is not None and not login:
        raise click.UsageError("--key needs --login here: the image does not say whom it lets in")
    document: dict[str, Json] = {"machineTemplate": await template(session, wanted, image, login)}
    if wanted.name:
        document["name"] = wanted.name
    if login:
        document["properties"] = {SSH_USER: login}
    made = await make(session, "machines", document, wait=wait)
    return made.id if made is not None else None


async def template(session: Session, wanted: Launch, image: Resource, login: str | None) -> dict[str, Json]:
    """Return the template by value of what is wanted. Raises NotFound for a name that nobody has."""
    client = session.client
    content: dict[str, Json] = {
        "initialState": "STOPPED" if wanted.stopped else "STARTED",
        "machineConfig": await _configuration(session, wanted),
        "machineImage": {"href": image.id},
    }
    if wanted.key is not None:
        content["credential"] = {"userName": login or "", "key": text_of(wanted.key).strip()}
    if wanted.user_data is not None:
        content["userData"] = base64.b64encode(text_of(wanted.user_data).encode()).decode()
    if wanted.network:
        wished = [await client.find("networks", name) for name in wanted.network]
        content["networkInterfaces"] = [{"network": {"href": one.id}} for one in wished]
    if wanted.volume:
        content["volumes"] = [{"href": (await client.find("volumes", name)).id} for name in wanted.volume]
    return content


async def _configuration(session: Session, wanted: Launch) -> dict[str, Json]:
    """Return the configuration: a reference, a value, or a reference with what is said beside it."""
    content: dict[str, Json] = {}
    if wanted.config is not None:
        content["href"] = (await session.client.find("machineConfigs", wanted.config)).id
    else:
        content |= {"cpu": CPU, "memory": MEMORY}
    content |= {name: value for name, value in (("cpu", wanted.cpu), ("memory", wanted.memory)) if value is not None}
    if wanted.disk is not None:
        content["disks"] = [{"capacity": wanted.disk}]
    return content
