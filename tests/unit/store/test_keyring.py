"""Where the store's key comes from, and what is refused as one."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from gateway.config import ConfigError
from gateway.store.keyring import CREDENTIAL, Keyring, demand_usable_keys, keyring


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return tmp_path / "gateway.db"


def key(path: Path, mark: str = "x", mode: int = 0o600) -> str:
    path.write_text(mark * 40)
    path.chmod(mode)
    return str(path)


def identities(ring: Keyring) -> list[str]:
    return [entry.identity for entry in (ring.current, *ring.former)]


def test_the_first_start_makes_one_that_only_the_gateway_reads(database: Path) -> None:
    ring, path = keyring(database), database.with_name("gateway.db.key")
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(base64.b64decode(path.read_bytes())) == 32
    assert keyring(database) == ring


def test_each_gateway_makes_its_own(database: Path) -> None:
    assert keyring(database).current != keyring(database.with_name("other.db")).current


def test_what_a_start_left_half_is_no_key(database: Path) -> None:
    database.with_name("gateway.db.key.part").write_bytes(b"half")
    assert keyring(database) == keyring(database)


def test_the_configured_one_is_taken_first(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    key(tmp_path / CREDENTIAL, "c")
    configured = key(tmp_path / "own", "o")
    assert keyring(database, configured).current == keyring(database.with_name("b.db"), configured).current
    assert keyring(database, configured).current != keyring(database).current
    assert not database.with_name("gateway.db.key").exists()


def test_systemds_credential_is_taken_as_it_is(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = keyring(database, key(tmp_path / CREDENTIAL)).current
    (tmp_path / CREDENTIAL).chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert keyring(database).current == expected


def test_the_one_that_was_made_still_opens_when_another_is_configured(database: Path, tmp_path: Path) -> None:
    made = keyring(database).current
    ring = keyring(database, key(tmp_path / "own"))
    assert ring.former == (made,)


def test_former_keys_only_open(database: Path, tmp_path: Path) -> None:
    former = keyring(database, key(tmp_path / "former", "f")).current
    ring = keyring(database, key(tmp_path / "own", "o"), [str(tmp_path / "former")])
    assert former in ring.former
    assert ring.current != former


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640])
def test_one_that_the_gateways_group_may_read_is_taken(database: Path, tmp_path: Path, mode: int) -> None:
    assert keyring(database, key(tmp_path / "own", mode=mode)).current


def test_asking_for_the_faults_of_keys_makes_none(database: Path) -> None:
    demand_usable_keys(database)
    assert not database.with_name("gateway.db.key").exists()


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o620, 0o660])
def test_one_that_others_may_read_or_a_group_write_is_refused(database: Path, tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="chmod 0640"):
        keyring(database, key(tmp_path / "own", mode=mode))


def test_a_short_one_is_refused(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "own"
    path.write_bytes(b"short\n" + b"\n" * 100)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="fewer than 32 bytes"):
        keyring(database, str(path))


def test_a_missing_one_is_refused_and_none_is_made(database: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        keyring(database, str(tmp_path / "nowhere"))
    assert not database.with_name("gateway.db.key").exists()


def test_a_key_is_not_shown_by_what_it_is_printed_as(database: Path) -> None:
    ring = keyring(database)
    assert repr(ring.current.sealing) not in repr(ring)
