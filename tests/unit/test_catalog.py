"""The file of the catalogue of images: the shipped one is good, and each mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import CatalogEntry, ConfigError
from gateway.config.catalog import read_catalog
from tests.place import ROOT

SHIPPED = ROOT / "etc" / "catalog.toml"


def read(tmp_path: Path, text: str) -> tuple[CatalogEntry, ...]:
    path = tmp_path / "catalog.toml"
    path.write_text(text)
    return read_catalog(path)


def test_the_shipped_catalogue_has_verified_images_of_the_well_known_systems() -> None:
    entries = {entry.name: entry for entry in read_catalog(SHIPPED)}
    families = {name.partition(":")[0] for name in entries}
    assert families >= {"debian", "ubuntu", "fedora", "almalinux", "alpine", "opensuse", "demo"}
    for entry in entries.values():
        assert entry.user, entry.name
        assert entry.is_file or (entry.location.startswith("https://") and entry.checksums.startswith("https://"))


def test_an_image_may_say_no_more_than_its_name_and_where_it_is(tmp_path: Path) -> None:
    [entry] = read(tmp_path, '[[image]]\nname = "a:1"\nlocation = "a.qcow2"\n')
    assert (entry.key, entry.is_file) == ("a-1", True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[image]", "is not TOML"),
        ("image = 3", r"has \[\[image\]\] and nothing else"),
        ("[server]", r"has \[\[image\]\] and nothing else"),
        ('[[image]]\nname = "a"', r"\[\[image\]\] location: is missing"),
        ('[[image]]\nname = "A b"\nlocation = "a"', "'A b': name: small letters"),
        ('[[image]]\nname = "a"\nlocation = "../a"', "'a': location: must be a URL, or the name of a file"),
        ('[[image]]\nname = "a"\nlocation = "ftp://h/a"', "must begin with https:// or http://"),
        ('[[image]]\nname = "a"\nlocation = "http://h/a"', "checksums: an image that comes by http:// needs them"),
        ('[[image]]\nname = "a"\nlocation = "https://h/a"\nchecksums = "SUMS"', "checksums: must begin with"),
        ('[[image]]\nname = "a"\nlocation = "a"\nleast_disk = -1', "least_disk: must be at least 0"),
        ('[[image]]\nname = "a"\nlocation = "a"\nfirmware = "x"', "firmware: must be one of"),
        ('[[image]]\nname = "a:1"\nlocation = "a"\n[[image]]\nname = "a-1"\nlocation = "a"', "'a:1' stands twice"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_catalog(tmp_path / "nothing.toml")
