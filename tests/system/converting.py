"""The bootable image in other formats."""

from __future__ import annotations

import subprocess
from pathlib import Path


def converted(images: Path, tmp_path: Path, format: str, *options: str) -> bytes:
    target = tmp_path / "guest"
    extra = ["-o", ",".join(options)] if options else []
    command: list[str | Path] = [
        "qemu-img",
        "convert",
        "-f",
        "qcow2",
        "-O",
        format,
        *extra,
        images / "guest.qcow2",
        target,
    ]
    subprocess.run(command, check=True)
    return target.read_bytes()
