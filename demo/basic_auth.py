"""Header of a login; aiohttp's own function for it is younger than Debian 13's aiohttp."""

from __future__ import annotations

import base64


def basic_auth(user: str, password: str) -> str:
    """Return the value of the header Authorization for HTTP Basic."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
