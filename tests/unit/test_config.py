"""The configuration says what is wrong, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import ConfigError, load

HYPERVISOR = '[[hypervisor]]\nname = "l"\nuri = "test:///default"\npool = "p"\nnetwork = "n"\n'


def configured(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(text + "\n" + HYPERVISOR if "[[hypervisor]]" not in text else text)
    return path


def test_defaults_need_only_a_hypervisor(tmp_path: Path) -> None:
    settings = load(configured(tmp_path, ""))
    assert settings.server.listen == "127.0.0.1:8080"
    assert settings.hypervisors[0].domain_type == "auto"


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load(configured(tmp_path, '[store]\npath = "a.db"\n[images]\ndirectories = ["i"]'))
    assert settings.store.path == str(tmp_path.resolve() / "a.db")
    assert settings.images.directories == [str(tmp_path.resolve() / "i")]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("nonsense", "is not TOML"),
        ("[sever]", "[sever]"),
        ("[server]\nport = 1", "[server] port"),
        ("[server]\nlisten = 8080", "[server] listen"),
        ('[server]\nlisten = "localhost"', "[server] listen"),
        ('[server]\nlisten = "127.0.0.1:99999"', "[server] listen"),
        ('[server]\ntls_key = "k"', "tls_certificate"),
        ('[server]\nbase_url = "ftp://x"', "base_url"),
        ('[server]\nlisten = "0.0.0.0:8080"', "allow_insecure_basic"),
        ("[auth]\npublic_entry_point = 1", "[auth] public_entry_point"),
        ('[images]\ndirectories = "x"', "[images] directories"),
        ("[jobs]\nworkers = true", "[jobs] workers"),
        ("[jobs]\nworkers = 0", "[jobs] workers"),
        ('[jobs]\nanswer_wait = "x"', "[jobs] answer_wait"),
        ('[[hypervisor]]\nname = "a"', "[[hypervisor]] uri"),
        (HYPERVISOR + 'domain_type = "xen"', "domain_type"),
        (HYPERVISOR + "colour = 1", "colour"),
        (HYPERVISOR + HYPERVISOR, "same name"),
    ],
)
def test_mistakes_are_named_with_file_and_key(tmp_path: Path, text: str, named: str) -> None:
    path = configured(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(path) in caught.value.message
    assert named in caught.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        load(tmp_path / "none.toml")


def test_at_least_one_hypervisor_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text("")
    with pytest.raises(ConfigError, match="hypervisor"):
        load(path)
