"""What ``cimi`` changes, and the exit codes that it ends with."""

from __future__ import annotations

import re
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from cimi_client import Resource, SyncClient

from tests.api.images.transfers import RAW
from tests.client.command.ran import Cimi
from tests.gateway_process import free_port

Made = Callable[..., Resource]


def test_a_machine_is_launched_of_an_image_and_its_id_is_printed(
    cimi: Cimi, image: Resource, plain: SyncClient, tmp_path: Path
) -> None:
    key = tmp_path / "key.pub"
    key.write_text("ssh-ed25519 AAAA me@here\n")
    ran = cimi("launch", "guest", "launch1", "--config", "tiny", "--cpu", "2", "--key", str(key), "--login", "me")
    assert ran.code == 0, ran.err
    machine = plain.get(ran.out.strip())
    assert (machine.name, machine.state, machine.number("cpu")) == ("launch1", "STARTED", 2)
    assert machine.properties == {"sshUser": "me"}
    assert cimi("delete", "launch1").code == 0


def test_a_launch_takes_sizes_networks_volumes_and_user_data(cimi: Cimi, image: Resource, plain: SyncClient) -> None:
    assert cimi("volume", "create", "data1", "--size", "16MB").code == 0
    assert cimi("network", "create", "lan1").code == 0
    sizes = ("--memory", "256MiB", "--disk", "1GB")
    parts = ("--network", "lan1", "--volume", "data1", "--user-data", "-")
    ran = cimi("launch", "guest", "launch2", "--stopped", *sizes, *parts, stdin="#cloud-config\n")
    assert ran.code == 0, ran.err
    machine = plain.get(ran.out.strip())
    assert (machine.state, machine.number("memory")) == ("STOPPED", 262144)
    assert [disk.number("capacity") for disk in plain.items(machine.href("disks") or "")] == [1_000_000]
    assert cimi("volume", "detach", "data1", "launch2").code == 0
    assert cimi("volume", "attach", "data1", "launch2", "--device", "vdc").code == 0
    assert cimi("network", "detach", "lan1", "launch2").code == 0
    assert cimi("network", "attach", "lan1", "launch2").code == 0
    assert cimi("delete", "launch2").code == 0
    assert cimi("volume", "delete", "data1").code == 0
    assert cimi("network", "delete", "lan1").code == 0


def test_machines_are_started_and_stopped_together(cimi: Cimi, made: Made) -> None:
    made("both1")
    made("both2")
    assert cimi("start", "both1", "both2").code == 0
    assert cimi("list", "--columns", "state", "-o", "csv", "--filter", "name='both1'").lines[1:] == ["STARTED"]
    assert cimi("pause", "both1").code == 0
    assert cimi("start", "both1").code == 0
    assert cimi("restart", "both1", "--force").code == 0
    assert cimi("suspend", "both2").code == 0
    assert cimi("stop", "both1", "--timeout", "1").code == 0
    assert cimi("show", "both1", "-o", "json").json["state"] == "STOPPED"
    assert cimi("delete", "both1", "both2").code == 0


def test_one_that_fails_leaves_the_others_be(cimi: Cimi, made: Made) -> None:
    made("fine1")
    ran = cimi("start", "nobody1", "fine1")
    assert ran.code == 3
    assert "there is none called 'nobody1'" in ran.err
    assert cimi("show", "fine1", "-o", "json").json["state"] == "STARTED"


def test_what_nobody_waits_for_says_its_job(cimi: Cimi, made: Made) -> None:
    made("later1")
    ran = cimi("start", "later1", "--no-wait")
    assert re.search(r"start later1: (asked for: http\S+/jobs/\S+|done)", ran.err)
    job = cimi("job", "list", "-n", "1", "-o", "name").out.strip()
    assert cimi("job", "wait", job).code == 0


def test_attributes_are_set_in_the_units_of_people(cimi: Cimi, made: Made) -> None:
    made("set1", a="1", b="2")
    ran = cimi("set", "set1", "cpu=2", "memory=1GiB", "name=set2", "properties.a=", "properties.c=x=y", "description=d")
    assert ran.code == 0, ran.err
    shown = cimi("show", "set2", "-o", "json").json
    assert (shown["cpu"], shown["memory"], shown["description"]) == (2, 1_048_576, "d")
    assert shown["properties"] == {"b": "2", "c": "x=y"}
    assert cimi("set", "set2", "description=").code == 0
    assert "description" not in cimi("show", "set2", "-o", "json").json


@pytest.mark.parametrize("change", ["memory", "=2", "memory=lots", "memory=1.5"])
def test_what_is_no_change_is_wrong_usage(cimi: Cimi, made: Made, change: str) -> None:
    made("usage1")
    assert cimi("set", "usage1", change).code == 2


def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = tmp_path / "editor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(program))


def test_a_machine_is_changed_in_an_editor(
    cimi: Cimi, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made("edit1")
    editor(tmp_path, monkeypatch, """sed -i 's/"name": "edit1"/"name": "edit2"/' "$1" """)
    assert cimi("edit", "edit1").code == 0
    assert cimi("show", "edit2", "-o", "name").out == "edit2\n"


def test_an_editor_that_changes_nothing_changes_nothing(
    cimi: Cimi, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made("edit3")
    editor(tmp_path, monkeypatch, "true")
    assert "nothing was changed" in cimi("edit", "edit3").err


@pytest.mark.parametrize(("script", "code"), [("echo '{' >\"$1\"", 1), ('echo \'{"cpu": "x"}\' >"$1"', 4)])
def test_what_was_written_in_vain_is_kept(
    cimi: Cimi, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, code: int
) -> None:
    made("edit4")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    editor(tmp_path, monkeypatch, script)
    ran = cimi("edit", "edit4")
    assert ran.code == code
    [kept] = re.findall(r"what was written is in (\S+)", ran.err)
    assert Path(kept).read_text().startswith("{")
    assert stat.S_IMODE(Path(kept).stat().st_mode) == 0o600


def test_a_change_that_somebody_else_was_faster_with_is_a_conflict(
    cimi: Cimi, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain: SyncClient
) -> None:
    machine = made("edit5")
    editor(tmp_path, monkeypatch, """sed -i 's/"name": "edit5"/"name": "edit6"/' "$1" """)
    edit = click.edit

    def be_faster() -> None:
        with SyncClient(plain.client.server) as other:
            other.edit(other.get(machine.id), {"description": "faster"})

    def slow(text: str, extension: str) -> str | None:
        thread = threading.Thread(target=be_faster)
        thread.start()
        thread.join()
        return edit(text, extension=extension)

    monkeypatch.setattr("click.edit", slow)
    assert cimi("edit", "edit5").code == 5


def test_an_image_goes_up_and_comes_down(cimi: Cimi, tmp_path: Path) -> None:
    up, down = tmp_path / "up.raw", tmp_path / "down.raw"
    up.write_bytes(RAW)
    assert cimi("image", "upload", str(up), "--name", "mine").code == 0
    assert cimi("image", "download", "mine", str(down)).code == 0
    assert down.read_bytes() == RAW
    assert cimi("image", "delete", "mine").code == 0


def test_an_upload_that_breaks_off_says_how_to_go_on(
    cimi: Cimi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain: SyncClient
) -> None:
    up = tmp_path / "up.raw"
    up.write_bytes(RAW)

    async def broken(*_arguments: object) -> None:
        raise OSError("the cable was pulled")

    monkeypatch.setattr("cimi_client.upload", broken, raising=False)
    ran = cimi("image", "upload", str(up), "--name", "half")
    assert ran.code == 1
    [rest] = re.findall(r"to go on: cimi (.*)", ran.err)
    monkeypatch.delattr("cimi_client.upload")
    assert cimi(*rest.split()).code == 0


def test_a_network_an_address_a_credential_and_a_size_are_made_and_go(cimi: Cimi, tmp_path: Path) -> None:
    key = tmp_path / "key.pub"
    key.write_text("ssh-ed25519 AAAA me@here\n")
    assert cimi("network", "create", "lan2").code == 0
    assert cimi("address", "create", "fixed", "--network", "lan2", "--hostname", "db").code == 0
    assert cimi("credential", "create", "me", "--login", "me", "--key", str(key)).code == 0
    assert cimi("config", "create", "huge", "--cpu", "8", "--memory", "16GiB", "--disk", "100GB").code == 0
    assert cimi("network", "stop", "lan2").code == 0
    assert cimi("network", "start", "lan2").code == 0
    assert cimi("config", "show", "huge", "-o", "json").json["memory"] == 16 * 1_048_576
    for family, name in (("address", "fixed"), ("network", "lan2"), ("credential", "me"), ("config", "huge")):
        assert cimi(family, "delete", name).code == 0


def test_a_machine_goes_back_to_a_snapshot(cimi: Cimi, made: Made) -> None:
    made("snap1")
    assert cimi("start", "snap1").code == 0
    ran = cimi("snapshot", "create", "snap1", "before")
    assert ran.code == 0, ran.err
    assert cimi("snapshot", "list", "snap1", "-o", "name").out == "before\n"
    assert cimi("snapshot", "restore", "snap1", "before").code == 0
    assert cimi("snapshot", "restore", "snap1", "after").code == 3
    assert cimi("snapshot", "delete", "snap1", "before").code == 0
    assert cimi("snapshot", "list", "snap1", "-o", "json").json == []


def test_a_system_comes_in_as_a_package_and_goes_out_as_one(
    cimi: Cimi, provider: tuple[str, str], tmp_path: Path
) -> None:
    package = Path(provider[1].removeprefix("file://")).with_name("small.ova")
    ran = cimi("system", "import", str(package))
    assert ran.code == 0, ran.err
    [system] = cimi("system", "list", "-o", "json").json
    assert ran.out.strip() == system["id"]
    assert cimi("system", "start", system["id"]).code == 0
    assert cimi("system", "stop", system["id"]).code == 0
    ran = cimi("system", "export", system["id"], str(tmp_path / "out.ova"))
    assert ran.code == 0, ran.err
    assert (tmp_path / "out.ova").stat().st_size > 1000
    assert cimi("system", "delete", system["id"]).code == 0


def test_raw_documents_are_sent(cimi: Cimi, tmp_path: Path) -> None:
    document = tmp_path / "document.json"
    document.write_text('{"name": "raw1", "cpu": 1, "memory": 131072}')
    ran = cimi("post", "machineConfigs", "-d", f"@{document}")
    assert ran.json["name"] == "raw1"
    assert "location: http" in ran.err
    path = "machineConfigs/" + ran.json["id"].rpartition("/")[2]
    assert cimi("put", f"{path}?$select=name", "-d", '{"name": "raw2"}').code == 0
    xml = "<MachineConfiguration><name>raw3</name></MachineConfiguration>"
    assert cimi("put", f"{path}?$select=name", "-d", "-", stdin=xml).code == 0
    assert cimi("get", path).json["name"] == "raw3"
    assert cimi("delete", path).code == 0
    assert cimi("get", path).code == 3


def test_the_exit_code_says_what_was_wrong(cimi: Cimi, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    made("code1")
    made("code2")
    made("code2")
    assert cimi("show", "code1").code == 0
    assert cimi("show").code == 2
    assert cimi("show", "nobody").code == 3
    assert cimi("set", "code1", "colour=red").code == 4
    assert cimi("stop", "code1").code == 5
    assert cimi("show", "code2").code == 5
    monkeypatch.setenv("CIMI_PASSWORD", "wrong")
    assert cimi("show", "code1").code == 4
    monkeypatch.setenv("CIMI_URL", f"http://127.0.0.1:{free_port()}/cimi/")
    assert cimi("show", "code1").code == 6


def test_an_ambiguous_name_lists_its_ids(cimi: Cimi, made: Made) -> None:
    machines = made("twin1"), made("twin1")
    error = cimi("start", "twin1").err
    assert all(machine.id in error for machine in machines)


def test_a_verb_that_there_is_not_is_perhaps_another(cimi: Cimi) -> None:
    ran = cimi("lst")
    assert ran.code == 2
    assert "Did you mean list" in ran.err
