"""The place where QEMU finds a volume: a file, a block device, or an image of a Ceph pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lxml import etree


@dataclass(frozen=True, slots=True)
class DiskSource:
    """The place of a volume: a path on the host, or for ``network`` the pool and image of Ceph.

    ``pool`` is then the definition of libvirt's pool, and empty otherwise.
    """

    kind: Literal["file", "block", "network"]
    path: str
    pool: str = ""

    @classmethod
    def at(cls, path: str, pool: str = "") -> DiskSource:
        """Return the source of the volume at this path: no absolute path for Ceph, a device when it is below /dev."""
        if not path.startswith("/"):
            return cls("network", path, pool)
        return cls("block" if path.startswith("/dev/") else "file", path)

    def element(self) -> etree._Element:
        """Return the ``<source>`` of a disk in a domain's definition."""
        if self.kind == "network":
            return self._network()
        return etree.Element("source", {"dev" if self.kind == "block" else "file": self.path})

    def _network(self) -> etree._Element:
        """Return a Ceph source with monitors and login as the pool has them: libvirt does not look them up itself."""
        element = etree.Element("source", protocol="rbd", name=self.path)
        pool = etree.fromstring(self.pool)
        for host in pool.iterfind("source/host"):
            element.append(etree.Element("host", {str(name): str(value) for name, value in host.attrib.items()}))
        login = pool.find("source/auth")
        if login is not None:
            auth = etree.SubElement(element, "auth", username=str(login.get("username")))
            secret = login.find("secret")
            assert secret is not None
            etree.SubElement(auth, "secret", {"type": "ceph", **{str(k): str(v) for k, v in secret.attrib.items()}})
        return element
