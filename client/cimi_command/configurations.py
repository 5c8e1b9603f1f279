"""``cimi config``: the sizes that Machines are made in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cimi_command import units
from cimi_command.kinds import ID, NAME, Kind, standard_verbs
from cimi_command.machines import CPU, MEMORY
from cimi_command.making import make
from cimi_command.options import Family, waiting
from cimi_command.session import run
from cimi_command.tables import Column

if TYPE_CHECKING:
    from cimi_client import Json, Resource


def _disks(one: Resource) -> str:
    return " ".join(units.decimal(disk.number("capacity"), 1000) for disk in one.parts("disks"))


KIND = Kind("machineConfigs", "MachineConfiguration", (NAME, CPU, MEMORY, Column("DISKS", _disks), ID))


@click.group(cls=Family)
def config() -> None:
    """MachineConfigurations: the sizes of new Machines."""


standard_verbs(config, KIND)


@config.command()
@click.argument("name")
@click.option("--cpu", type=int, required=True, help="Virtual CPUs.")
@click.option("--memory", type=units.memory, required=True, metavar="AMOUNT", help="Such as 2GiB.")
@click.option("--disk", type=units.capacity, multiple=True, metavar="AMOUNT", help="The first disk, and more: 20GB.")
@waiting
def create(name: str, cpu: int, memory: int, disk: tuple[int, ...], wait: bool) -> None:
    """Make a MachineConfiguration called NAME."""
    document: dict[str, Json] = {"name": name, "cpu": cpu, "memory": memory}
    if disk:
        document["disks"] = [{"capacity": capacity} for capacity in disk]
    run(lambda session: make(session, "machineConfigs", document, wait=wait))
