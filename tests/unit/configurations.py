"""Files of configuration."""

from __future__ import annotations

from pathlib import Path

HYPERVISOR = '[[hypervisor]]\nname = "l"\nuri = "test:///default"\npool = "p"\nnetwork = "n"\n'
POOLS_ONLY = "[[hypervisor.pools]]\n"
POOLS = HYPERVISOR + POOLS_ONLY


def configured(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(text if "hypervisor" in text else f"{text}\n{HYPERVISOR}")
    return path
