"""Packet filters are asked for in ways that libvirtd survives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from drivers.libvirt.connection import Connection
from drivers.libvirt.filters import Filters


class Handle:
    """A libvirt connection that has only what is safe beside guests that start."""

    def listNWFilters(self) -> list[str]:  # noqa: N802 - libvirt's name
        return ["clean-traffic", "cimi-guard", "cimi-network-7f3c"]


class Calls:
    async def call(self, work: Callable[[Handle], Any]) -> Any:
        return work(Handle())


async def test_filters_are_listed_by_name_since_listing_them_whole_can_stop_libvirtd_for_ever() -> None:
    assert await Filters(cast(Connection, Calls())).list_networks() == ("7f3c",)
