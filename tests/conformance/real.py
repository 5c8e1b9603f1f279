"""What the command says of a gateway of its own over qemu:///system: for the test, and for docs/conformance.md."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.guest_image import build
from tests import hypervisor
from tests.api.packages import small_package
from tests.conformance.provider import package_beside
from tests.gateway_process import PASSWORD, GatewayProcess

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "conformance.md"
HEADING = "<!-- Made by `make conformance`; what stands below is not written by hand. -->\n"


@dataclass(frozen=True)
class Judged:
    code: int
    output: str
    report: dict[str, Any]
    table: str
    junit: str
    html: str
    left: tuple[str, ...]
    """What of the guests, disks and networks was still there at the end."""


def judge(home: Path) -> Judged:
    """Start a gateway with the small guest image, run the command against it, and clear it all away."""
    pool = f"cimi-test-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    images = home / "images"
    images.mkdir()
    shutil.copyfile(build(home / "built.qcow2"), images / "guest.qcow2")
    (images / "small.ova").write_bytes(small_package())
    hypervisor.quiet()
    hypervisor.make_pool(pool)
    gateway = GatewayProcess(home / "gateway", pool, images, monitoring="period = 1", forked=False)
    try:
        gateway.prepare()
        gateway.start()
        return _judged(gateway, home, f"file://{images / 'guest.qcow2'}")
    finally:
        gateway.clear()
        hypervisor.drop_pool(pool)


def _judged(gateway: GatewayProcess, home: Path, image: str) -> Judged:
    before = traces(gateway)
    reports = {suffix: home / f"report{suffix}" for suffix in (".json", ".xml", ".html", ".md")}
    wanted = [word for path in reports.values() for word in ("--report", str(path))]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "gateway",
            "conformance",
            gateway.base,
            "--user",
            "admin",
            "--image-location",
            image,
            "--package-location",
            package_beside(image),
            *wanted,
        ],
        env={**os.environ, "CIMI_PASSWORD": PASSWORD},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=550,
    )
    assert gateway.answers(), gateway.tail()
    assert reports[".json"].exists(), (done.stdout, done.stderr)
    said = {suffix: path.read_text(encoding="utf-8") for suffix, path in reports.items()}
    left = tuple(sorted(traces(gateway) - before))
    return Judged(
        done.returncode,
        done.stdout + done.stderr,
        json.loads(said[".json"]),
        said[".md"],
        said[".xml"],
        said[".html"],
        left,
    )


def traces(gateway: GatewayProcess) -> set[str]:
    found = {*hypervisor.files_in(gateway.pool), *hypervisor.domains_using(gateway.pool)}
    return found | set(hypervisor.networks_in(gateway.ranges[0]))


def document(current: str, table: str) -> str:
    """The document with this table in place of the one that it has."""
    return current.partition(HEADING)[0] + HEADING + "\n" + table


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        judged = judge(Path(directory))
    DOCUMENT.write_text(document(DOCUMENT.read_text(encoding="utf-8"), judged.table), encoding="utf-8")
    sys.stdout.write(judged.output)
