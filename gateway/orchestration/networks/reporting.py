"""Word to the admin of what was put right in a Network, or could not be, because others had changed it."""

from __future__ import annotations

import structlog

from gateway.orchestration.common.room import Room
from gateway.orchestration.monitoring.occurrences import alarm
from gateway.orchestration.monitoring.recorder import tell

RESERVATIONS = "reservations put right"
log = structlog.get_logger("sync")


async def report(room: Room, path: str, code: str, detail: str) -> None:
    """Write what was put right into the admin's journal and into the Network's event log."""
    log.warning(code, network=path, reason=detail)
    async with room.store.transaction() as transaction:
        network = await transaction.get(path)
        if network is not None:
            await tell(transaction, alarm(network, code, detail, severity="medium", outcome="Warning"))
