"""The small parts of the command: amounts, lines of bars, addresses that guests claim."""

from __future__ import annotations

import asyncio

import click
import pytest
from cimi_client import CimiError, Client, Query, Resource, Server
from cimi_client.queries import EVERYTHING
from cimi_command.meters import bars
from cimi_command.options import Options
from cimi_command.session import Session
from cimi_command.ssh import _command
from cimi_command.tables import Column, rows_of, show
from cimi_command.units import amount, binary, decimal


@pytest.mark.parametrize(
    ("text", "attribute", "value"),
    [
        ("2GiB", "memory", 2_097_152),
        ("2G", "memory", 2_097_152),
        ("1.5 GiB", "memory", 1_572_864),
        ("1048576", "memory", 1_048_576),
        ("40GB", "capacity", 40_000_000),
        ("40G", "capacity", 40_000_000),
        ("1GiB", "capacity", 1_073_742),
        ("512MiB", "size", 536_870_912),
    ],
)
def test_amounts_are_taken_as_people_write_them(text: str, attribute: str, value: int) -> None:
    assert amount(text, attribute) == value


@pytest.mark.parametrize("text", ["", "GiB", "-1GB", "1.5", "2XB", "1e9", "٣GB", "9" * 16])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        amount(text, "memory")


def test_amounts_are_shown_as_people_read_them() -> None:
    assert [binary(262144, 1024), binary(None, 1024), decimal(40_000_000, 1000), decimal(999, 1)] == [
        "256 MiB",
        "",
        "40 GB",
        "999 B",
    ]


def test_a_table_is_aligned_in_all_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    columns = (Column("NAME", lambda one: one.name), Column("SIZE", lambda one: one.text("size"), right=True))
    rows = rows_of(columns, [Resource({"name": "世界", "size": 1}), Resource({"name": "web1", "size": 12345})])
    show(columns, rows, "table")
    assert capsys.readouterr().out == "NAME   SIZE\n世界      1\nweb1  12345\n"


def test_bars_go_from_nothing_to_the_most() -> None:
    assert bars([0.0, 50.0, 100.0], 60) == "▁▅█"
    assert bars([0.0, 0.0], 60) == "▁▁"
    assert len(bars([1.0] * 1000, 60)) <= 60


class Guest(Client):
    """A client to whom a guest claims an address."""

    def __init__(self, address: str, user: str) -> None:
        super().__init__(Server("http://localhost/"))
        self._address = address
        self._user = user

    async def find(self, collection: str, name: str) -> Resource:
        return Resource({"id": "http://localhost/machines/1", "properties": {"sshUser": self._user}})

    async def get(self, reference: str, query: Query = EVERYTHING) -> Resource:
        return Resource({"id": reference, "state": "STARTED"})


def command(monkeypatch: pytest.MonkeyPatch, address: str, user: str) -> list[str]:
    async def addresses(_session: Session) -> dict[str, list[str]]:
        return {"http://localhost/machines/1": [address]}

    monkeypatch.setattr("cimi_command.ssh.addresses_by_machine", addresses)
    monkeypatch.setattr("cimi_command.ssh.PATIENCE", 0.0)
    monkeypatch.setattr("cimi_command.ssh.BOOTING", 0.0)
    session = Session(Guest(address, user), Options())
    return asyncio.run(_command(session, "web1", None, ["-i", "key"]))


def test_ssh_goes_to_the_address_that_the_guest_uses_and_knows_it_by_its_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = ["ssh", "-i", "key", "-o", "HostKeyAlias=1"]
    assert command(monkeypatch, "10.0.0.5", "debian") == [*options, "debian@10.0.0.5"]
    assert command(monkeypatch, "fd00::5", "me") == [*options, "me@fd00::5"]


@pytest.mark.parametrize(("address", "user"), [("-oProxyCommand=x", "me"), ("10.0.0.5", "-oProxyCommand=x")])
def test_ssh_takes_no_options_from_elsewhere(monkeypatch: pytest.MonkeyPatch, address: str, user: str) -> None:
    with pytest.raises(CimiError):
        command(monkeypatch, address, user)
