"""Stand-ins for libvirt's objects and errors."""

from __future__ import annotations

from typing import Any

import libvirt
from lxml import etree

from drivers.libvirt.own_addresses import claim

MAC, OTHER = "52:54:00:00:00:01", "52:54:00:00:00:02"
ADD, DELETE = libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE


class Failed(libvirt.libvirtError):  # type: ignore[misc]
    """An error of libvirt's with this code, from this part of it."""

    def __init__(self, code: int, part: int = libvirt.VIR_FROM_QEMU) -> None:
        Exception.__init__(self, "it does not work")
        self._code, self._part = code, part

    def get_error_code(self) -> int:
        return self._code

    def get_error_domain(self) -> int:
        return self._part

    def get_error_message(self) -> str:
        return "it does not work"


class Refused(libvirt.libvirtError):  # type: ignore[misc]
    """An entry for the address or the MAC is there, as libvirt says it."""

    def __init__(self) -> None:
        Exception.__init__(self, "there is an existing dhcp host entry")

    def get_error_code(self) -> int:
        return int(libvirt.VIR_ERR_OPERATION_INVALID)


class Network:
    """libvirt's network, as far as its DHCP entries go."""

    def __init__(self, last: str = "10.0.0.9", entries: str = "", dhcp: bool = True, six: str = "") -> None:
        served = f"<dhcp><range start='10.0.0.2' end='{last}'/>{entries}</dhcp>" if dhcp else ""
        self.root = etree.fromstring(f"<network><ip address='10.0.0.1' prefix='24'>{served}</ip>{six}</network>")
        self.leases: list[dict[str, Any]] = []
        self.quicker: list[str] = []
        """Addresses that another gateway takes right before ours."""
        self.active, self.flags = True, set[int]()

    def name(self) -> str:
        return "default"

    def isActive(self) -> bool:  # noqa: N802 - libvirt's name
        return self.active

    def isPersistent(self) -> bool:  # noqa: N802 - libvirt's name
        return True

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802 - libvirt's name
        return etree.tostring(self.root, encoding="unicode")

    def DHCPLeases(self) -> list[dict[str, Any]]:  # noqa: N802 - libvirt's name
        return self.leases

    def update(self, command: int, _section: int, _parent: int, xml: str, flags: int) -> None:
        self.flags.add(flags)
        entry, dhcp = etree.fromstring(xml), self.root.find("ip/dhcp")
        assert dhcp is not None
        if command == ADD:
            if self.quicker:
                dhcp.append(etree.Element("host", mac=OTHER, ip=self.quicker.pop()))
            if any(known.get("ip") == entry.get("ip") for known in dhcp.iterfind("host")):
                raise Refused
            dhcp.append(entry)
        else:
            [gone] = [known for known in dhcp.iterfind("host") if known.get("mac") == entry.get("mac")]
            dhcp.remove(gone)

    def entries(self) -> dict[str | None, str | None]:
        return {entry.get("mac"): entry.get("ip") for entry in self.root.iterfind("ip/dhcp/host")}


def claimed(network: Network, mac: str = MAC) -> str | None:
    return claim(network, mac).ip
