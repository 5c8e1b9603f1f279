"""[server] keys about connections, host names and origins: their defaults, and mistakes that are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import ConfigError, ServerSettings, load

HYPERVISOR = '[[hypervisor]]\nname = "local"\nuri = "test:///default"\npool = "default"\nnetwork = "default"\n'


def server(tmp_path: Path, *lines: str) -> ServerSettings:
    file = tmp_path / "gateway.toml"
    file.write_text("[server]\n" + "\n".join(lines) + "\n" + HYPERVISOR)
    return load(file).server


def test_without_a_word_there_are_limits(tmp_path: Path) -> None:
    settings = server(tmp_path)
    assert (settings.connections, settings.connections_per_address) == (2000, 200)
    assert (settings.header_seconds, settings.document_seconds, settings.idle_seconds) == (10, 30, 75)
    assert (settings.hosts, settings.origins) == ([], [])


def test_all_keys_are_taken(tmp_path: Path) -> None:
    settings = server(
        tmp_path,
        "connections = 50",
        "connections_per_address = 5",
        "header_seconds = 1.5",
        "document_seconds = 2",
        "idle_seconds = 3",
        'hosts = ["cloud.example.org", "192.0.2.1", "2001:db8::1"]',
        'origins = ["https://console.example.org:8443"]',
    )
    assert settings.connections == 50
    assert settings.hosts == ["cloud.example.org", "192.0.2.1", "2001:db8::1"]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("connections = 31", "connections"),
        ("connections_per_address = 0", "connections_per_address"),
        ("header_seconds = 0", "header_seconds"),
        ("document_seconds = -1", "document_seconds"),
        ("idle_seconds = inf", "idle_seconds"),
        ("header_seconds = nan", "header_seconds"),
        ('hosts = ["cloud.example.org:443"]', "hosts"),
        ('hosts = ["https://cloud.example.org"]', "hosts"),
        ('hosts = [""]', "hosts"),
        ('origins = ["cloud.example.org"]', "origins"),
        ('origins = ["https://cloud.example.org/page"]', "origins"),
        ('origins = ["null"]', "origins"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named(tmp_path: Path, line: str, named: str) -> None:
    with pytest.raises(ConfigError, match=rf"\[server\] {named}: "):
        server(tmp_path, line)
