"""Files of checksums as distributions write them."""

from __future__ import annotations

import pytest

from gateway.orchestration.images.sums import sum_of

SHA256, SHA512 = "a1" * 32, "b2" * 64


@pytest.mark.parametrize(
    "text",
    [
        f"{SHA256}  disk.img\n",
        f"{SHA256} *disk.img\n",
        f"{SHA256}  ./disk.img\n",
        f"{'0' * 64}  other.img\n{SHA256.upper()}  disk.img\n",
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# disk.img: 1 bytes\nSHA256 (disk.img) = {SHA256}\n",
        f"MD5 (disk.img) = {'0' * 32}\nSHA1 (disk.img) = {'0' * 40}\nSHA256 (disk.img) = {SHA256}\r\n",
    ],
)
def test_the_sum_of_a_file_is_read_in_each_of_the_usual_ways(text: str) -> None:
    assert sum_of(text, "disk.img") == SHA256


def test_the_longest_sum_counts() -> None:
    assert sum_of(f"{SHA256}  a\n{SHA512}  a\n", "a") == SHA512


@pytest.mark.parametrize(
    "text",
    ["", f"{SHA256}\n", f"{SHA256}  xdisk.img", f"{'0' * 32}  disk.img", "zz" * 32 + "  disk.img", "disk.img", " = "],
)
def test_what_has_no_sum_of_the_file_gives_none(text: str) -> None:
    assert sum_of(text, "disk.img") is None


@pytest.mark.parametrize("text", [SHA512, f"{SHA512}\n", f"{SHA512}  as-it-was-called-there.img\n"])
def test_the_only_sum_of_a_files_own_checksums_is_that_of_the_file(text: str) -> None:
    assert sum_of(text, "disk.img", alone=True) == SHA512
