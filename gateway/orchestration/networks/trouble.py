"""Networks that cannot be what they should: in ERROR with the reason, and tried again until they can (DSP0263 5.17.1).

``KeptNetwork.trouble`` is the state that such a Network should have. A Network in ERROR without it is so for another
reason, and nobody tries to start it. The admin gets word of that, and of what was put right in a Network.
"""

from __future__ import annotations

import structlog

from gateway.orchestration.common.room import Room
from gateway.orchestration.monitoring.occurrences import alarm
from gateway.orchestration.monitoring.recorder import tell
from gateway.orchestration.networks.facts import KeptNetwork
from gateway.store.model import Resource

RESERVATIONS = "reservations put right"
"""The code of the event that tells so."""
log = structlog.get_logger("sync")


def wanted_state(network: Resource) -> str | None:
    """Return the state that the Network should have: its own, or that from before its trouble.

    A Network that is in ERROR for another reason should be there, and nobody says that it should run.
    """
    return KeptNetwork.of(network).trouble or ("STOPPED" if network.state == "ERROR" else network.state)


def as_it_is(network: Resource, state: str) -> Resource:
    """Return the Network in the state that the hypervisor tells; one that still should run, and does not, in ERROR."""
    if state == "STOPPED" and KeptNetwork.of(network).trouble == "STARTED":
        return network.with_document(state="ERROR")
    return KeptNetwork.changed(network.with_document(state=state), trouble=None)


async def tell_trouble(room: Room, path: str, reason: str) -> None:
    """Put the Network in ERROR and say why in its event log, once, until it is out of trouble."""
    async with room.store.transaction() as transaction:
        network = await transaction.get(path)
        if network is None or network.held_by is not None or KeptNetwork.of(network).trouble:
            return
        wanted = wanted_state(network)
        failed = KeptNetwork.changed(network.with_document(state="ERROR"), trouble=wanted)
        await transaction.update(failed)
        await tell(transaction, alarm(failed, "not running", f"it should be {wanted} and cannot be: {reason}"))
    log.error("network in trouble", network=path, wanted=wanted, reason=reason)


async def report(room: Room, path: str, code: str, detail: str) -> None:
    """Write what was put right into the admin's journal and into the Network's event log."""
    log.warning(code, network=path, reason=detail)
    async with room.store.transaction() as transaction:
        network = await transaction.get(path)
        if network is not None:
            await tell(transaction, alarm(network, code, detail, severity="medium", outcome="Warning"))
