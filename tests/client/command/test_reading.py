"""What ``cimi`` shows: lists, single resources, raw documents, in the forms that people and programs want."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

import pytest
from cimi_client import Resource, SyncClient

from tests.client.command.ran import Cimi

Made = Callable[..., Resource]


def test_machines_are_listed_as_a_table(cimi: Cimi, made: Made) -> None:
    made("table1")
    ran = cimi("list")
    head, *rows = ran.lines
    assert head.split() == ["NAME", "STATE", "CPU", "MEMORY", "ADDRESS", "ID"]
    [row] = [row for row in rows if row.startswith("table1")]
    assert row.split()[:5] == ["table1", "STOPPED", "1", "128", "MiB"]
    assert not any(line.endswith(" ") for line in ran.lines)


def test_machines_are_listed_for_programs(cimi: Cimi, made: Made) -> None:
    machine = made("form1")
    assert [one["id"] for one in cimi("list", "-o", "json", "--filter", "name='form1'").json] == [machine.id]
    [row] = csv.DictReader(io.StringIO(cimi("list", "-o", "csv", "--filter", "name='form1'").out))
    assert (row["name"], row["state"], row["id"]) == ("form1", "STOPPED", machine.key)
    assert cimi("list", "-o", "name", "--filter", "name='form1'").out == "form1\n"


def test_columns_are_chosen(cimi: Cimi, made: Made) -> None:
    made("columns1")
    assert cimi("list", "--columns", "state,name", "--filter", "name='columns1'").lines == [
        "STATE    NAME",
        "STOPPED  columns1",
    ]
    assert cimi("list", "--columns", "colour").code == 2


def test_a_list_says_when_there_is_more(cimi: Cimi, made: Made) -> None:
    made("more1")
    made("more2")
    ran = cimi("list", "-n", "1", "-o", "name", "--filter", "name='more1' or name='more2'")
    assert ran.out == "more1\n"
    assert "1 of 2 are shown; --limit shows more" in ran.err


def test_a_list_with_addresses_takes_three_requests(cimi: Cimi, made: Made) -> None:
    made("requests1")
    ran = cimi("list", "--curl")
    assert len([line for line in ran.err.splitlines() if line.startswith("curl")]) == 3


def test_a_list_is_sorted_as_is_wanted(cimi: Cimi, made: Made) -> None:
    for name in ("sort2", "sort1", "sort3"):
        made(name, test="sort")
    wanted = ("-o", "name", "--filter", "property['test']='sort'")
    assert cimi("list", *wanted).lines == ["sort1", "sort2", "sort3"]
    assert cimi("list", "--sort", "name:desc", *wanted).lines == ["sort3", "sort2", "sort1"]


def test_names_from_elsewhere_move_no_cursor(cimi: Cimi, made: Made) -> None:
    made("evil\u202e\tname\n2")
    ran = cimi("list", "--filter", "property['x']='y' or name!='z'")
    assert "evil? name 2" in ran.out
    assert "\u202e" not in ran.out + cimi("list", "-o", "csv").out + cimi("list", "-o", "json").out


def test_a_narrow_terminal_shows_everything(cimi: Cimi, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = made("narrow1")
    for name, value in (("COLUMNS", "40"), ("FORCE_COLOR", "1"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    ran = cimi("list", "--columns", "name,id", "--filter", "name='narrow1'")
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in ran.lines]
    assert max(len(line) for line in lines) <= 40
    assert "".join(line[9:].strip() for line in lines[1:]) == machine.key
    assert "\x1b[3" not in ran.out


def test_a_machine_is_shown(cimi: Cimi, made: Made) -> None:
    machine = made("show1", tier="front")
    shown = dict(line.split(":", 1) for line in cimi("show", "show1").lines)
    assert (shown["name"].strip(), shown["state"].strip()) == ("show1", "STOPPED")
    assert shown["properties"].strip() == "tier=front"
    assert "start" in shown["operations"]
    assert cimi("show", machine.key, "-o", "json").json["id"] == machine.id
    assert cimi("show", machine.id, "-o", "name").out == "show1\n"


def test_both_formats_show_the_same(cimi: Cimi, made: Made) -> None:
    made("format1")
    assert cimi("show", "format1", "--xml", "-o", "json").json == cimi("show", "format1", "-o", "json").json


@pytest.mark.parametrize("family", ["image", "volume", "network", "address", "credential", "config", "system", "job"])
def test_every_family_is_listed(cimi: Cimi, image: Resource, family: str) -> None:
    ran = cimi(family, "list", "-o", "json")
    assert ran.code == 0
    assert isinstance(ran.json, list)
    assert cimi(family, "list").code == 0


def test_what_the_provider_has_is_shown(cimi: Cimi) -> None:
    assert "machineConfigs" in cimi("api", "-o", "name").lines
    assert {"name": "MachineStopForce", "value": True} in cimi("api", "Machine", "-o", "json").json
    assert cimi("api", "Dog").code == 4


def test_raw_documents_are_read_in_both_formats(cimi: Cimi) -> None:
    assert cimi("get", "machineConfigs?$select=name&$first=1&$last=1").json["count"] == 4
    assert cimi("get", "machineConfigs", "--xml").out.startswith("<?xml")
    assert cimi("get", "").json["resourceURI"].endswith("/CloudEntryPoint")


def test_debug_shows_each_exchange_without_the_password(cimi: Cimi, url: str) -> None:
    ran = cimi("--debug", "get", "")
    assert f"> GET {url}" in ran.err
    assert "< 200" in ran.err
    assert "> Authorization: ..." in ran.err


def test_curl_shows_a_line_that_curl_takes_but_for_the_password(cimi: Cimi, url: str) -> None:
    line = cimi("get", "machines", "--curl").err.splitlines()[-1]
    assert line.startswith("curl -i -H")
    assert line.endswith(f"{url}machines")
    assert "Basic ..." in line


def test_a_meter_is_shown_as_a_line_of_bars(cimi: Cimi, made: Made) -> None:
    made("meter1")
    assert "cimi meter create meter1 cpu begins one" in cimi("meter", "show", "meter1", "cpu").err
    assert cimi("meter", "create", "meter1", "cpu").code == 0
    assert cimi("meter", "list", "meter1", "-o", "json").json[0]["aspect"].endswith("/cpu")
    assert cimi("meter", "show", "meter1", "cpu", "--last", "30m").code == 0
    assert cimi("meter", "show", "meter1", "cpu", "--last", "soon").code == 2


def test_the_console_is_shown_harmless(cimi: Cimi, made: Made, plain: SyncClient) -> None:
    machine = made("console1")
    plain.act(machine, "start")
    assert cimi("console", "console1", "--log").out == "READY\n"
    assert cimi("console", "console1").code == 2
