"""``backup`` and ``restore`` on the command line, with stores that no gateway serves."""

from __future__ import annotations

import gzip
import io
import json
import os
import sqlite3
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.backup import restoring
from gateway.backup.archive import entry_of
from gateway.backup.sealing import MAGIC
from gateway.cli import main
from gateway.store import schema
from gateway.store.model import Resource
from gateway.store.store import Store
from tests.unit.configurations import HYPERVISOR

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PASSPHRASE = "correct horse battery"


def machine(number: int) -> Resource:
    return Resource(f"machines/{number}", "Machine", "ann", {"name": f"m{number}", "state": "STOPPED"}, NOW, NOW)


class Home:
    """A gateway's files, and the commands about them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "etc/gateway.toml"
        self.store = directory / "lib/gateway.db"
        self.users = directory / "lib/users"
        self.file = directory / "backup"

    async def make(self) -> None:
        for path in (self.config, self.store):
            path.parent.mkdir(mode=0o700)
        self.config.write_text(
            f'[auth]\nusers_file = "../lib/users"\n[store]\npath = "../lib/gateway.db"\n{HYPERVISOR}'
        )
        self.config.chmod(0o640)
        self.users.write_text("admin:admin:x\n")
        self.users.chmod(0o640)
        await self.add(1)

    async def add(self, number: int) -> None:
        store = await Store.open(self.store)
        async with store.transaction() as transaction:
            await transaction.insert(machine(number))
        await store.close()

    def machines(self) -> list[str]:
        with sqlite3.connect(self.store) as connection:
            return [path for (path,) in connection.execute("SELECT path FROM resources ORDER BY path")]

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--config", str(self.config)])

    def must(self, *words: str) -> str:
        result = self.run(*words)
        assert result.exit_code == 0, result.output
        return result.output

    def passphrase(self, words: str = PASSPHRASE) -> str:
        path = self.directory / "passphrase"
        path.write_text(f"{words}\n")
        return str(path)


@pytest.fixture
async def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    await made.make()
    return made


async def test_what_was_backed_up_comes_back_as_it_was(home: Home) -> None:
    key = (home.store.parent / "gateway.db.key").read_bytes()
    home.must("backup", str(home.file))
    await home.add(2)
    home.users.write_text("somebody:viewer:y\n")
    (home.store.parent / "gateway.db.key").write_bytes(b"x" * 44)
    home.must("restore", str(home.file))
    assert home.machines() == ["machines/1"]
    assert home.users.read_text() == "admin:admin:x\n"
    assert home.users.stat().st_mode & 0o777 == 0o640
    assert (home.store.parent / "gateway.db.key").read_bytes() == key
    await (await Store.open(home.store)).close()


async def test_a_backup_is_for_its_owner_alone_and_replaces_nothing(home: Home) -> None:
    home.must("backup", str(home.file))
    assert home.file.stat().st_mode & 0o777 == 0o600
    before = home.file.read_bytes()
    result = home.run("backup", str(home.file))
    assert result.exit_code == 1
    assert "exists already" in result.output
    assert home.file.read_bytes() == before


async def test_what_was_there_before_a_restore_is_kept_beside_it(home: Home) -> None:
    home.must("backup", str(home.file))
    await home.add(2)
    said = home.must("restore", str(home.file))
    (kept,) = home.store.parent.glob("gateway.db.before-restore-*")
    assert kept.name in said
    with sqlite3.connect(kept) as connection:
        assert connection.execute("SELECT count(*) FROM resources").fetchone() == (2,)


async def test_settings_stay_as_they_are_unless_it_is_said(home: Home) -> None:
    before = home.config.read_text()
    home.must("backup", str(home.file))
    home.config.write_text(before + "# mine\n")
    assert f"left as it is: {home.config}" in home.must("restore", str(home.file))
    assert home.config.read_text() == before + "# mine\n"
    for path in home.store.parent.glob("*.before-restore-*"):
        # In the way of a second one in the same second.
        path.unlink()
    home.must("restore", "--configuration", str(home.file))
    assert home.config.read_text() == before


async def test_on_a_new_host_the_backups_own_configuration_says_where_all_belongs(home: Home, tmp_path: Path) -> None:
    home.must("backup", str(home.file))
    fresh = Home(tmp_path / "fresh")
    said = CliRunner().invoke(main, ["restore", str(home.file), "--config", str(fresh.config)])
    assert said.exit_code == 0, said.output
    assert fresh.machines() == ["machines/1"]
    assert fresh.config.read_text() == home.config.read_text()


async def test_while_a_gateway_has_the_store_a_backup_is_made_and_no_restore(home: Home) -> None:
    store = await Store.open(home.store)
    try:
        async with store.transaction() as transaction:
            await transaction.insert(machine(2))
        home.must("backup", str(home.file))
        result = home.run("restore", str(home.file))
    finally:
        await store.close()
    assert result.exit_code == 1
    assert "in use by another gateway" in result.output
    assert home.machines() == ["machines/1", "machines/2"]
    home.must("restore", str(home.file))
    assert home.machines() == ["machines/1", "machines/2"]


async def test_of_an_uncommitted_change_nothing_is_in_a_backup(home: Home) -> None:
    store = await Store.open(home.store)
    async with store.transaction() as transaction:
        await transaction.insert(machine(2))
        await transaction.get("machines/3")
        home.must("backup", str(home.file))
    await store.close()
    home.must("restore", str(home.file))
    assert home.machines() == ["machines/1"]


# Sealed


async def test_a_sealed_backup_shows_nothing_and_opens_with_its_passphrase(home: Home) -> None:
    option = ("--passphrase-file", home.passphrase())
    home.must("backup", str(home.file), *option)
    content = home.file.read_bytes()
    assert content.startswith(MAGIC)
    assert b"manifest" not in content
    await home.add(2)
    home.must("restore", str(home.file), *option)
    assert home.machines() == ["machines/1"]


async def test_without_the_passphrase_or_with_another_it_says_so_and_touches_nothing(home: Home) -> None:
    home.must("backup", str(home.file), "--passphrase-file", home.passphrase())
    await home.add(2)
    for option, words in (
        ((), "is sealed"),
        (("--passphrase-file", home.passphrase("another one altogether")), "the passphrase is wrong"),
        (("--passphrase-file", str(home.directory / "nowhere")), "cannot be read"),
    ):
        result = home.run("restore", str(home.file), *option)
        assert result.exit_code == 1
        assert words in result.output
    assert home.machines() == ["machines/1", "machines/2"]


async def test_a_passphrase_that_is_quickly_guessed_is_refused(home: Home) -> None:
    result = home.run("backup", str(home.file), "--passphrase-file", home.passphrase("short"))
    assert result.exit_code == 1
    assert not home.file.exists()


async def test_parts_of_a_sealed_backup_cannot_be_moved_or_cut_off(home: Home) -> None:
    big = os.urandom(2_500_000)
    home.users.write_bytes(b"# " + big.hex().encode() + b"\n")
    option = ("--passphrase-file", home.passphrase())
    home.must("backup", str(home.file), *option)
    magic, salt, *tokens = home.file.read_bytes().splitlines(keepends=True)
    assert len(tokens) >= 3
    moved = [tokens[0], tokens[2], tokens[1], *tokens[3:]]
    for parts in (moved, tokens[:1], [tokens[0], *tokens[2:]], []):
        home.file.write_bytes(b"".join([magic, salt, *parts]))
        result = home.run("restore", str(home.file), *option)
        assert result.exit_code == 1
        assert "cannot be opened" in result.output


# Damaged, hostile, newer


def unpacked(file: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest of a backup, and its files."""
    with tarfile.open(file, "r:gz") as archive:
        files = {member.name: archive.extractfile(member) for member in archive.getmembers()}
        contents = {name: content.read() for name, content in files.items() if content is not None}
    return json.loads(contents.pop("manifest.json")), contents


def packed(file: Path, manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    with tarfile.open(file, "w:gz") as archive:
        for name, content in {"manifest.json": json.dumps(manifest).encode(), **files}.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))


def newer(manifest: dict[str, Any], _files: dict[str, bytes]) -> None:
    manifest["store_version"] = len(schema.migrations()) + 1


def newer_format(manifest: dict[str, Any], _files: dict[str, bytes]) -> None:
    manifest["format"] = 2


def changed(_manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    files["users"] = files["users"][::-1]


def without_a_file(_manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    del files["users"]


def without_a_store(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    del files["gateway.db"]
    manifest["files"] = [entry for entry in manifest["files"] if entry["name"] != "gateway.db"]


def with_an_odd_manifest(manifest: dict[str, Any], _files: dict[str, bytes]) -> None:
    manifest["files"] = [{"name": 7}]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (newer, "upgrade it first"),
        (newer_format, "a newer cimi-gateway made it"),
        (changed, "another checksum"),
        (without_a_file, "cut off or changed"),
        (without_a_store, "no store in it"),
        (with_an_odd_manifest, "manifest is damaged"),
    ],
)
async def test_what_cannot_be_used_is_refused_before_anything_is_touched(
    home: Home, spoil: Callable[[dict[str, Any], dict[str, bytes]], None], words: str
) -> None:
    home.must("backup", str(home.file))
    manifest, files = unpacked(home.file)
    spoil(manifest, files)
    packed(home.file, manifest, files)
    await home.add(2)
    for command in (("restore",), ("restore", "--check")):
        result = home.run(*command, str(home.file))
        assert result.exit_code == 1
        assert words in result.output
    assert home.machines() == ["machines/1", "machines/2"]
    assert not list(home.store.parent.glob("*before-restore*"))


@pytest.mark.parametrize("content", [b"", b"no backup", MAGIC, gzip.compress(b"no archive", mtime=0), b"\x1f\x8b"])
async def test_what_is_no_backup_is_refused_in_one_line(home: Home, content: bytes) -> None:
    home.file.write_bytes(content)
    for option in ((), ("--passphrase-file", home.passphrase())):
        result = home.run("restore", str(home.file), *option)
        assert result.exit_code == 1
        assert len(result.output.splitlines()) == 1


async def test_a_store_that_is_damaged_inside_is_refused(home: Home) -> None:
    home.must("backup", str(home.file))
    manifest, files = unpacked(home.file)
    files["gateway.db"] = files["gateway.db"][:8192] + b"\xff" * (len(files["gateway.db"]) - 8192)
    path = home.directory / "spoilt"
    path.write_bytes(files["gateway.db"])
    for entry in manifest["files"]:
        if entry["name"] == "gateway.db":
            entry["sha256"] = entry_of("gateway.db", path).sha256
    packed(home.file, manifest, files)
    result = home.run("restore", str(home.file))
    assert result.exit_code == 1
    assert "is damaged" in result.output


async def test_names_in_a_backup_are_no_paths(home: Home) -> None:
    home.must("backup", str(home.file))
    manifest, files = unpacked(home.file)
    hostile = "../../hostile"
    files[hostile] = files.pop("users")
    for entry in manifest["files"]:
        entry["name"] = hostile if entry["name"] == "users" else entry["name"]
    packed(home.file, manifest, {entry["name"]: files[entry["name"]] for entry in manifest["files"]})
    assert f"not restored: {hostile}" in home.must("restore", str(home.file))
    assert not list(home.directory.parent.rglob("hostile"))


async def test_check_says_what_is_in_a_backup_and_changes_nothing(home: Home) -> None:
    home.must("backup", str(home.file))
    await home.add(2)
    said = home.must("restore", "--check", str(home.file))
    assert "gateway.db" in said
    assert "users" in said
    assert home.machines() == ["machines/1", "machines/2"]


async def test_a_backup_that_cannot_be_written_leaves_nothing(home: Home) -> None:
    target = home.directory / "nowhere" / "backup"
    result = home.run("backup", str(target))
    assert result.exit_code == 1
    assert str(target) in result.output
    home.users.chmod(0o640)
    home.store.unlink()
    result = home.run("backup", str(home.file))
    assert "has not run yet" in result.output
    assert not [path for path in home.directory.iterdir() if "backup" in path.name]


async def test_nothing_is_left_where_it_was_unpacked(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    place = home.directory / "unpacked"
    place.mkdir()
    monkeypatch.setattr(restoring, "UNPACKED_IN", str(place))
    home.must("backup", str(home.file))
    home.must("restore", str(home.file))
    assert list(place.iterdir()) == []
    assert not list(home.store.parent.glob(".restore*"))


async def test_the_log_of_the_old_store_is_not_taken_for_the_new_ones(home: Home) -> None:
    home.must("backup", str(home.file))
    connection = sqlite3.connect(home.store)
    connection.execute("UPDATE resources SET project = 'somebody'")
    connection.commit()
    wal = home.store.with_name("gateway.db-wal")
    content = wal.read_bytes()
    connection.close()
    wal.write_bytes(content)
    home.must("restore", str(home.file))
    with sqlite3.connect(home.store) as restored:
        assert restored.execute("SELECT project FROM resources").fetchall() == [("ann",)]
