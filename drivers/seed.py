"""The NoCloud seed: a small ISO that tells a guest its name, its users, its user data, and addresses of its own.

cloud-init reads the files at the root; CIMI promises the user data at ``cimi/user-data`` (DSP0263 5.14.2).
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass

import pycdlib

LABEL = "cidata"
NOTHING = b"#cloud-config\n{}\n"
UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters that readers of YAML 1.1 refuse, or take for the end of a line, where it is not escaped."""


@dataclass(frozen=True, slots=True)
class SeedInterface:
    """The setup of the interface with this MAC in the guest: by DHCP for IPv4, and with these IPv6 addresses."""

    mac: str
    dhcp4: bool
    addresses: tuple[str, ...] = ()
    """IPv6 addresses with prefix length."""
    gateway: str = ""
    """The router for IPv6 packets to others, which answers for DNS, too. One of the interfaces has it."""


@dataclass(frozen=True, slots=True)
class Seed:
    """The words of the gateway to a new guest.

    ``password_hash`` is SHA-512 crypt; ``user_data`` are the decoded bytes, passed on as they are.
    """

    instance_id: str
    name: str
    user: str | None = None
    password_hash: str | None = None
    keys: tuple[str, ...] = ()
    user_data: bytes | None = None
    interfaces: tuple[SeedInterface, ...] = ()
    """All of the Machine's, in order; none: the guest sets its interfaces up as it likes."""
    environment: bytes | None = None
    """The guest's OVF environment document (DSP0243 clause 10)."""


def hostname(name: str, instance_id: str) -> str:
    """Return a legal host name made from a human one; one made from the id when nothing of it is legal."""
    cleaned = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:63].strip("-")
    return cleaned or f"machine-{instance_id[:8]}"


def seed_iso(seed: Seed) -> bytes:
    """Return the ISO image's bytes; blocks for some milliseconds."""
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=LABEL)
    iso.add_directory("/CIMI", rr_name="cimi", joliet_path="/cimi")
    files = {
        ("/METADATA.;1", "meta-data", "/meta-data"): _meta_data(seed),
        ("/USERDATA.;1", "user-data", "/user-data"): seed.user_data or NOTHING,
        ("/VENDDATA.;1", "vendor-data", "/vendor-data"): _vendor_data(seed),
    }
    if seed.interfaces:
        files[("/NETCONF.;1", "network-config", "/network-config")] = _network_config(seed.interfaces)
    if seed.user_data is not None:
        files[("/CIMI/USERDATA.;1", "user-data", "/cimi/user-data")] = seed.user_data
    if seed.environment is not None:
        files[("/OVFENV.XML;1", "ovf-env.xml", "/ovf-env.xml")] = seed.environment
    for (path, name, joliet), content in files.items():
        iso.add_fp(io.BytesIO(content), len(content), path, rr_name=name, joliet_path=joliet)
    output = io.BytesIO()
    iso.write_fp(output)
    iso.close()
    return output.getvalue()


def _meta_data(seed: Seed) -> bytes:
    return _yaml({"instance-id": seed.instance_id, "local-hostname": hostname(seed.name, seed.instance_id)})


def _network_config(interfaces: tuple[SeedInterface, ...]) -> bytes:
    """Return the network configuration of version 2, as netplan has it.

    Interfaces are named as well as matched: not every system that cloud-init writes for can match.
    """
    ethernets = {f"eth{place}": _ethernet(entry, f"eth{place}") for place, entry in enumerate(interfaces)}
    return _yaml({"version": 2, "ethernets": ethernets})


def _ethernet(entry: SeedInterface, name: str) -> dict[str, object]:
    """Return the netplan of one interface, whose gateway serves route and DNS.

    The router tells route and DNS server as well, but NetworkManager does not listen to it beside an address.
    ``gateway6`` and no routes: cloud-init 22 makes ::/64 of ::/0.
    """
    ethernet: dict[str, object] = {"match": {"macaddress": entry.mac}, "set-name": name, "dhcp4": entry.dhcp4}
    if entry.addresses:
        ethernet["addresses"] = list(entry.addresses)
    if entry.gateway:
        ethernet["gateway6"] = entry.gateway
        ethernet["nameservers"] = {"addresses": [entry.gateway]}
    return ethernet


def _vendor_data(seed: Seed) -> bytes:
    if seed.user is None and not seed.keys:
        return NOTHING
    user: dict[str, object] = {
        "name": seed.user or "root",
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "shell": "/bin/bash",
        "lock_passwd": seed.password_hash is None,
    }
    if seed.password_hash is not None:
        user["passwd"] = seed.password_hash
    if seed.keys:
        user["ssh_authorized_keys"] = list(seed.keys)
    return b"#cloud-config\n" + _yaml({"ssh_pwauth": seed.password_hash is not None, "users": [user]})


def _yaml(document: dict[str, object]) -> bytes:
    """Return the document as JSON, which is YAML, but for the surrogate pairs of JSON's escapes.

    So only what is not printable is escaped.
    """
    text = json.dumps(document, indent=1, ensure_ascii=False)
    return UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode() + b"\n"
