"""Sizes in programmatic units, in the words of older packages, and in nonsense."""

from __future__ import annotations

import pytest

from gateway.ovf.errors import PackageInvalid
from gateway.ovf.units import bytes_of


@pytest.mark.parametrize(
    ("quantity", "units", "size"),
    [
        ("20", "byte * 2^30", 20 * 2**30),
        ("20", "byte*2^30", 20 * 2**30),
        ("3", "byte * 1024 * 1024", 3 * 2**20),
        ("3", "byte * 10^3", 3000),
        ("512", "MegaBytes", 512 * 2**20),
        ("2", "GigaBytes", 2 * 2**30),
        ("7", "byte", 7),
        ("7", "byte / 2", 4),
        ("1024", "byte * 2^-10", 1),
    ],
)
def test_a_quantity_is_bytes(quantity: str, units: str, size: int) -> None:
    assert bytes_of(quantity, units, "the disk") == size


@pytest.mark.parametrize(
    ("quantity", "units"),
    [
        ("-1", "byte"),
        ("1.5", "byte"),
        ("", "byte"),
        ("9" * 30, "byte"),
        ("1", "byte * 2^900"),
        ("1", "byte * 9^999"),
        ("1", "byte * 0"),
        ("1", "byte * 0^-1"),
        ("1", "byte / 0"),
        ("1", "hertz * 10^6"),
        ("1", "byte *"),
        ("1", "byte * 2^30 of memory"),
        ("99999999999999999999", "byte * 2^30"),
    ],
)
def test_what_is_no_quantity_of_bytes_is_refused_by_its_place(quantity: str, units: str) -> None:
    with pytest.raises(PackageInvalid, match="the disk"):
        bytes_of(quantity, units, "the disk")
