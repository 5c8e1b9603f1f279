"""Calls of QEMU itself, past libvirt, and strays that an interrupted libvirtd left in it.

libvirtd tells QEMU to open a file, and then to plug a disk in. When it dies in between, QEMU does so all the same, and
the next libvirtd never learns of it. Such a stray keeps its name from the next disk, and stops all snapshots.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import libvirt
import libvirt_qemu
from lxml import etree

from drivers.base import DriverFailed
from drivers.libvirt.domain_facts import PARSER

T = TypeVar("T")
NODE = re.compile(r"libvirt-(\d+)-(?:format|storage)")
"""Names that libvirt gives to what it opens; their number stands in the domain's live XML."""
NUMBERED = ("source", "backingStore")
PERIPHERAL = re.compile(r"/machine/peripheral/([^/]+)")
IN_THE_WAY = ("Duplicate", "does not support snapshots")
"""Words of QEMU for a call that a stray is in the way of."""
UNPLUG_SECONDS = 20.0
LOOK_EVERY = 0.2


def ask_qemu(domain: libvirt.virDomain, command: str, **arguments: Any) -> Any:
    """Return the answer to a command of QEMU's own protocol; only such that libvirt's picture stays true.

    Raises DriverFailed with QEMU's words when it refuses.
    """
    request: dict[str, Any] = {"execute": command, **({"arguments": arguments} if arguments else {})}
    answer = json.loads(libvirt_qemu.qemuMonitorCommand(domain, json.dumps(request), 0))
    if "error" in answer:
        raise DriverFailed(f"QEMU refused {command}: {answer['error'].get('desc')}")
    return answer["return"]


def without_strays(domain: libvirt.virDomain, work: Callable[[], T]) -> T:
    """Try once more when something was in the way of which libvirt knows nothing."""
    try:
        return work()
    except libvirt.libvirtError as error:
        if not any(words in str(error) for words in IN_THE_WAY) or not drop_strays(domain):
            raise
    return work()


def drop_strays(domain: libvirt.virDomain) -> bool:
    """Take out what libvirt does not know of, and return whether there was anything.

    QEMU refuses what is still in use.
    """
    if not domain.isActive() or domain.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE:
        # What a backup writes to stands in no definition either.
        return False
    # In this order: what libvirt opens meanwhile is no stray.
    opened = [entry["node-name"] for entry in ask_qemu(domain, "query-named-block-nodes", flat=True)]
    definition = etree.fromstring(domain.XMLDesc(0), PARSER)
    numbers = {element.get("index") for element in definition.iter(*NUMBERED)}
    strays = [name for name in opened if (match := NODE.fullmatch(name)) and match[1] not in numbers]
    if strays:
        _unplug(domain, strays, {str(alias.get("name")) for alias in definition.iter("alias")})
        # The format stands on the storage.
        until = time.monotonic() + UNPLUG_SECONDS
        for name in sorted(strays, key=lambda name: name.endswith("storage")):
            _close(domain, name, until)
    return bool(strays)


def _unplug(domain: libvirt.virDomain, strays: list[str], aliases: set[str]) -> None:
    """Unplug the disks that the guest has on the strays."""
    for entry in ask_qemu(domain, "query-block"):
        device = PERIPHERAL.match(entry.get("qdev", ""))
        used = entry.get("inserted", {}).get("node-name")
        if device is not None and used in strays and device[1] not in aliases:
            with suppress(DriverFailed):
                # It may be on its way out since an earlier try.
                ask_qemu(domain, "device_del", id=device[1])


def _close(domain: libvirt.virDomain, name: str, until: float) -> None:
    """Close what QEMU has opened; the guest takes its time to let go of a disk."""
    while True:
        try:
            ask_qemu(domain, "blockdev-del", **{"node-name": name})
            return
        except DriverFailed as error:
            if "Failed to find" in str(error):
                return
            if "in use" not in str(error) and "is busy" not in str(error):
                raise
            if time.monotonic() > until:
                raise DriverFailed(f"{error}; libvirt was interrupted before: restart the Machine") from None
        time.sleep(LOOK_EVERY)
