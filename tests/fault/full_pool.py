"""A pool without a free byte."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests import hypervisor
from tests.gateway_process import GatewayProcess


@contextmanager
def full(gateway: GatewayProcess, told: bool) -> Iterator[None]:
    """The pool without a free byte; libvirt knows of it when it is ``told``."""
    ballast = hypervisor.POOLS / gateway.pool / "ballast"
    subprocess.run(["dd", "if=/dev/zero", f"of={ballast}", "bs=64k"], check=False, capture_output=True)
    if told:
        refresh(gateway.pool)
    try:
        yield
    finally:
        ballast.unlink()
        refresh(gateway.pool)


def refresh(pool: str) -> None:
    with hypervisor.connection() as host:
        host.storagePoolLookupByName(pool).refresh()
