"""The NoCloud seed: a small ISO that tells a guest its name, its users and its user data.

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


@dataclass(frozen=True, slots=True)
class Seed:
    """``password_hash`` is SHA-512 crypt; ``user_data`` are the decoded bytes, passed on as they are."""

    instance_id: str
    name: str
    user: str | None = None
    password_hash: str | None = None
    keys: tuple[str, ...] = ()
    user_data: bytes | None = None
    environment: bytes | None = None
    """The guest's OVF environment document (DSP0243 clause 10)."""


def hostname(name: str, instance_id: str) -> str:
    """A legal host name made from a human one."""
    cleaned = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:63].strip("-")
    return cleaned or f"machine-{instance_id[:8]}"


def seed_iso(seed: Seed) -> bytes:
    """The ISO image's bytes. Blocks for some milliseconds."""
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=LABEL)
    iso.add_directory("/CIMI", rr_name="cimi", joliet_path="/cimi")
    files = {
        ("/METADATA.;1", "meta-data", "/meta-data"): _meta_data(seed),
        ("/USERDATA.;1", "user-data", "/user-data"): seed.user_data or NOTHING,
        ("/VENDDATA.;1", "vendor-data", "/vendor-data"): _vendor_data(seed),
    }
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
    """JSON is YAML, and needs no quoting of our own."""
    return json.dumps(document, indent=1).encode() + b"\n"
