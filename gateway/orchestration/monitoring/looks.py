"""The part of a host's reading that a meter is about."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property

from drivers.base import DomainReading, HostReading
from gateway.orchestration.monitoring.aspects import Look, disk_name
from gateway.orchestration.monitoring.facts import Measured
from gateway.store.durable import Hosted
from gateway.store.model import Resource


class Looks:
    """The looks of one reading; ``together`` is the Machines of all hosts, None while one of them is away."""

    def __init__(self, reading: HostReading, together: Look | None) -> None:
        self._domains = {domain.uuid: domain for domain in reading.domains}
        self._together = together

    def of(self, target: Resource) -> Look | None:
        """Return the look at the target; None when nothing was seen of it."""
        if target.kind == "Machine":
            uuid = target.path.rpartition("/")[2]
            return {uuid: self._domains[uuid]} if uuid in self._domains else None
        if target.kind == "System":
            return self._members(target)
        if target.kind == "Volume":
            users = self._by_disk.get(Measured.of(target).volume or "")
            return {domain.uuid: domain for domain in users} if users else None
        if target.kind == "NetworkPort":
            user = self._by_mac.get(target.document["macAddress"])
            return {user.uuid: user} if user is not None else None
        return self._together if Hosted.of(target).host is None else self._domains

    def _members(self, system: Resource) -> Look | None:
        """Return a System's Machines, on whichever hosts; None without any."""
        uuids = [machine.rpartition("/")[2] for machine in Measured.of(system).machines]
        together = self._together
        machines = {uuid: together[uuid] for uuid in uuids if uuid in together} if together is not None else {}
        return machines or None

    @cached_property
    def _by_disk(self) -> dict[str, list[DomainReading]]:
        """The domains that have a volume, by its name."""
        domains: dict[str, list[DomainReading]] = defaultdict(list)
        for domain in self._domains.values():
            for disk in domain.disks:
                domains[disk_name(disk)].append(domain)
        return domains

    @cached_property
    def _by_mac(self) -> dict[str, DomainReading]:
        """The domain that has an interface, by its MAC address."""
        return {nic.mac: domain for domain in self._domains.values() for nic in domain.interfaces}
