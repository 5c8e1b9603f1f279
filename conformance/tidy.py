"""Taking away what the checks made, also when they were interrupted in the middle of making something."""

from __future__ import annotations

import time

from conformance.outcomes import MISUNDERSTOOD, NotOffered, Violation
from conformance.wire import Unreachable
from conformance.world import ENDED, World

ORDER = [
    "systems",
    "machines",
    "machineImages",
    "volumeImages",
    "meters",
    "volumes",
    "networkPorts",
    "addresses",
    "forwardingGroups",
    "networks",
    "systemTemplates",
    "machineTemplates",
    "machineConfigs",
    "volumeTemplates",
    "volumeConfigs",
    "networkPortTemplates",
    "networkPortConfigs",
    "networkTemplates",
    "networkConfigs",
    "addressTemplates",
    "forwardingGroupTemplates",
    "credentials",
    "credentialTemplates",
    "meterTemplates",
    "meterConfigs",
    "eventLogs",
    "eventLogTemplates",
]
"""Users before what they use."""
ROUNDS = 3


def tidy(world: World) -> list[str]:
    """Delete everything made in this world; URIs of what would not go within the time that a Job may take."""
    deadline = time.monotonic() + world.options.seconds
    for _ in range(ROUNDS):
        left = [url for url in [*reversed(world.kept), *_marked(world)] if not _deleted(world, url, deadline)]
        world.kept[:] = list(reversed(list(dict.fromkeys(left))))
        if not world.kept or time.monotonic() > deadline:
            break
    return world.kept


def _marked(world: World) -> list[str]:
    """What bears this run's mark, or tells of what did: some of it nobody has seen the Location of."""
    found: list[str] = []
    for entry in ORDER:
        try:
            if world.offers(entry):
                found += [str(item["id"]) for item in world.everything(world.collection(entry)) if _ours(world, item)]
        except (Violation, NotOffered, Unreachable, *MISUNDERSTOOD):
            continue
    return [url for url in dict.fromkeys(map(world.wire.absolute, found)) if url not in world.kept]


def _ours(world: World, item: dict[str, object]) -> bool:
    target = item.get("targetResource")
    href = target.get("href") if isinstance(target, dict) else None
    named = str(item.get("name", "")).startswith(world.mark)
    return bool(item.get("id")) and (named or href in world.kept)


def _deleted(world: World, url: str, deadline: float) -> bool:
    """Whether it is gone now."""
    try:
        found = world.wire.get(url)
        if found.status in (404, 410):
            return True
        exchange = world.wire.delete(world.operation(found.document or {}, "delete") or url)
        while exchange.job and time.monotonic() < deadline:
            if world.read(exchange.job).get("state") in ENDED:
                break
            time.sleep(0.1)
        return world.gone(url)
    except (Violation, Unreachable, *MISUNDERSTOOD):
        return False
