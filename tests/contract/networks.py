"""Networks that a test may ask a driver for."""

from __future__ import annotations

import uuid

from drivers.base import NetworkSpec, RangeSpec


def new_spec() -> NetworkSpec:
    fresh = str(uuid.uuid4())
    number = uuid.UUID(fresh).int
    start, six = f"10.{200 + number % 50}.{number // 50 % 250}", f"fd77:{number % 65536:x}::"
    return NetworkSpec(
        uuid=fresh,
        network=f"networks/{fresh}",
        owner="me",
        title="a <title>",
        forward="open",
        bridge=f"cimi{fresh.replace('-', '')[:10]}",
        ranges=(
            RangeSpec(f"{start}.1", 24, (f"{start}.128", f"{start}.254")),
            RangeSpec(f"{six}1", 64),
        ),
        mtu=1400,
        domain=f"{fresh[:8]}.cimi.test",
    )
