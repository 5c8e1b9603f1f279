"""``cimi network`` and ``cimi address``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cimi_command.acting import each, on
from cimi_command.completing import names_of
from cimi_command.kinds import ID, NAME, STATE, Kind, names, standard_verbs
from cimi_command.making import make
from cimi_command.options import Family, waiting
from cimi_command.session import Session, run
from cimi_command.tables import Column
from cimi_command.volumes import disconnect, part_of

if TYPE_CHECKING:
    from cimi_client import Document, Json

TYPE = Column("TYPE", lambda one: one.text("networkType"))
RANGE = Column("RANGE", lambda one: " ".join(filter(None, (one.text("cidr"), one.text("cidr6")))))
NETWORK = Kind("networks", "Network", (NAME, STATE, TYPE, RANGE, ID))
IP = Column("IP", lambda one: one.text("ip"))
HOSTNAME = Column("HOSTNAME", lambda one: one.text("hostname"))
SOURCE = Column("SOURCE", lambda one: one.text("source"))
ADDRESS = Kind("addresses", "Address", (IP, NAME, HOSTNAME, SOURCE, ID))


@click.group(cls=Family)
def network() -> None:
    """Make Networks, and put Machines in them."""


standard_verbs(network, NETWORK)


@network.command()
@click.argument("name")
@click.option("--type", "kind", type=click.Choice(["PRIVATE", "PUBLIC"], case_sensitive=False), default="PRIVATE")
@click.option("--cidr", help="The IPv4 range that is wished for.")
@waiting
def create(name: str, kind: str, cidr: str | None, wait: bool) -> None:
    """Make a Network called NAME; a PUBLIC one leads out of the host."""
    config: dict[str, Json] = {"networkType": kind.upper(), **({"cidr": cidr} if cidr else {})}
    document: Document = {"name": name, "networkTemplate": {"networkConfig": config}}
    run(lambda session: make(session, "networks", document, wait=wait))


@network.command()
@names("networks")
@waiting
def start(names: tuple[str, ...], wait: bool) -> None:
    """Let traffic pass."""
    run(lambda session: _act(session, "start", names, wait))


@network.command()
@names("networks")
@waiting
def stop(names: tuple[str, ...], wait: bool) -> None:
    """Let no traffic pass."""
    run(lambda session: _act(session, "stop", names, wait))


async def _act(session: Session, verb: str, names: tuple[str, ...], wait: bool) -> None:
    client = session.client
    await each(
        session, verb, names, on(lambda name: client.find("networks", name), lambda one: client.act(one, verb)), wait
    )


@network.command()
@click.argument("network", shell_complete=names_of("networks"))
@click.argument("machine", shell_complete=names_of("machines"))
@click.option("--address", multiple=True, help="A reserved Address to use.", shell_complete=names_of("addresses"))
@waiting
def attach(network: str, machine: str, address: tuple[str, ...], wait: bool) -> None:
    """Give MACHINE an interface in NETWORK."""
    run(lambda session: _attach(session, network, machine, address, wait))


async def _attach(session: Session, network: str, machine: str, addresses: tuple[str, ...], wait: bool) -> None:
    client = session.client
    document: dict[str, Json] = {"network": {"href": (await client.find("networks", network)).id}}
    if addresses:
        document["addresses"] = [{"href": (await client.find("addresses", name)).id} for name in addresses]
    await make(session, await part_of(session, machine, "networkInterfaces"), document, wait=wait)


@network.command()
@click.argument("network", shell_complete=names_of("networks"))
@click.argument("machine", shell_complete=names_of("machines"))
@waiting
def detach(network: str, machine: str, wait: bool) -> None:
    """Take the interfaces of MACHINE in NETWORK away."""
    run(lambda session: _detach(session, network, machine, wait))


async def _detach(session: Session, network: str, machine: str, wait: bool) -> None:
    resource = await session.client.find("networks", network)
    await disconnect(session, machine, "networkInterfaces", ("network", resource), wait)


@click.group(cls=Family)
def address() -> None:
    """Reserve Addresses, and list those in use."""


standard_verbs(address, ADDRESS)


@address.command("create")
@click.argument("name")
@click.option("--network", help="The Network that it is of.", shell_complete=names_of("networks"))
@click.option("--hostname", help="Its name in DNS.")
@click.option("--ip", help="The address that is wished for.")
@waiting
def create_address(name: str, network: str | None, hostname: str | None, ip: str | None, wait: bool) -> None:
    """Reserve an Address, and call it NAME."""
    template = {key: value for key, value in (("hostname", hostname), ("ip", ip)) if value}
    run(lambda session: _reserve(session, name, network, template, wait))


async def _reserve(session: Session, name: str, network: str | None, template: dict[str, str], wait: bool) -> None:
    content: dict[str, Json] = dict(template)
    if network:
        content["network"] = {"href": (await session.client.find("networks", network)).id}
    await make(session, "addresses", {"name": name, "addressTemplate": content}, wait=wait)
