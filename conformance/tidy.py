"""Deletion of what the checks created, also when they were interrupted in the middle of creating something."""

from __future__ import annotations

import time

from conformance.outcomes import MISUNDERSTOOD, NotOffered, Violation
from conformance.provider import ENDED, Provider
from conformance.wire import Unreachable

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
"""Collections in the order of deletion: users before what they use."""
ROUNDS = 3


def tidy(provider: Provider) -> list[str]:
    """Delete everything that was created; return the URIs of what is still there after the time that a Job may take."""
    deadline = time.monotonic() + provider.options.seconds
    for _ in range(ROUNDS):
        left = [
            url for url in [*reversed(provider.created), *_marked(provider)] if not _deleted(provider, url, deadline)
        ]
        provider.created[:] = list(reversed(list(dict.fromkeys(left))))
        if not provider.created or time.monotonic() > deadline:
            break
    return provider.created


def _marked(provider: Provider) -> list[str]:
    """Return the URIs of what bears this run's mark, or is about such resources: not every answer has a Location."""
    urls: list[str] = []
    for entry in ORDER:
        try:
            if provider.offers(entry):
                urls += [
                    str(item["id"]) for item in provider.all_items(provider.collection(entry)) if _ours(provider, item)
                ]
        except (Violation, NotOffered, Unreachable, *MISUNDERSTOOD):
            continue
    return [url for url in dict.fromkeys(map(provider.wire.absolute, urls)) if url not in provider.created]


def _ours(provider: Provider, item: dict[str, object]) -> bool:
    target = item.get("targetResource")
    href = target.get("href") if isinstance(target, dict) else None
    named = str(item.get("name", "")).startswith(provider.mark)
    return bool(item.get("id")) and (named or href in provider.created)


def _deleted(provider: Provider, url: str, deadline: float) -> bool:
    """Delete a resource, and return whether it is gone."""
    try:
        answer = provider.wire.get(url)
        if answer.status in (404, 410):
            return True
        exchange = provider.wire.delete(provider.operation(answer.document or {}, "delete") or url)
        while exchange.job and time.monotonic() < deadline:
            if provider.read(exchange.job).get("state") in ENDED:
                break
            time.sleep(0.1)
        return provider.is_gone(url)
    except (Violation, Unreachable, *MISUNDERSTOOD):
        return False
