"""How a host's boot is known from the one before, here and far away."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.base import Boot
from drivers.libvirt import host

LOCAL, REMOTE = "qemu:///system", "qemu+tls://hv1/system"


class Connection:
    """As much of libvirt's connection as tells of boots."""

    def __init__(self, uri: str, passed: int = 0) -> None:
        self.uri = uri
        self.passed = passed

    def getURI(self) -> str:  # noqa: N802 - libvirt's name
        return self.uri

    def getCPUStats(self, _cpu: int, _flags: int) -> dict[str, int]:  # noqa: N802 - libvirt's name
        return {"kernel": self.passed // 4, "idle": self.passed - self.passed // 4}


@pytest.fixture(autouse=True)
def no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(host.RUNTIME, raising=False)


def test_this_host_is_known_by_the_kernels_name_of_its_boot() -> None:
    mark = host.BOOT_ID.read_text().strip()
    assert host.boot(Connection(LOCAL), "") == Boot(mark, new=True)
    assert host.boot(Connection(LOCAL), mark) == Boot(mark, new=False)
    assert host.boot(Connection(LOCAL), "of another boot") == Boot(mark, new=True)


def test_a_service_knows_a_boot_by_what_has_lived_in_run_since(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(host.RUNTIME, str(tmp_path))
    mark = host.boot(Connection(LOCAL), "").mark
    assert host.boot(Connection(LOCAL), mark) == Boot(mark, new=False)
    (tmp_path / "boot").unlink()
    assert host.boot(Connection(LOCAL), mark).new


@pytest.mark.parametrize(
    ("mark", "passed", "boot"),
    [
        ("", 500, Boot("500", new=True)),
        ("no number", 500, Boot("500", new=True)),
        ("500", 501, Boot("500", new=False)),
        ("500", 1001, Boot("1001", new=False)),
        ("500", 499, Boot("499", new=True)),
    ],
)
def test_a_remote_host_has_booted_when_its_processors_have_had_less_time_than_before(
    mark: str, passed: int, boot: Boot
) -> None:
    assert host.boot(Connection(REMOTE, passed), mark) == boot
