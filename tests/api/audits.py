"""The audit log as the store has it."""

from __future__ import annotations

import json
from typing import Any

from gateway.app import Gateway


async def audited(gateway: Gateway) -> list[dict[str, Any]]:
    rows = await gateway.store.fetch("SELECT stranger, entry FROM audit ORDER BY position")
    return [{"stranger": stranger, **json.loads(entry)} for stranger, entry in rows]
