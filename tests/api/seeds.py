"""What a guest in memory is given by its seed: read from the ISO image that the gateway made for it."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pycdlib

from drivers.memory import MemoryDriver


def seed_of(driver: MemoryDriver, machine: str) -> dict[str, Any]:
    """``user_data`` in Base64, ``user``, ``password_hash``, ``keys``, ``environment``: each when it is there."""
    identity = machine.rpartition("/")[2]
    iso = pycdlib.PyCdlib()
    iso.open_fp(io.BytesIO(driver.state.contents[("default", f"cimi-{identity}-seed.iso")]))
    found: dict[str, Any] = {}
    own, environment = _file(iso, "/cimi/user-data"), _file(iso, "/ovf-env.xml")
    if own is not None:
        found["user_data"] = base64.b64encode(own).decode()
    if environment is not None:
        found["environment"] = environment.decode()
    said = (_file(iso, "/vendor-data") or b"").partition(b"\n")[2]
    for user in json.loads(said).get("users", []) if said.strip() else []:
        names = (("name", "user"), ("passwd", "password_hash"), ("ssh_authorized_keys", "keys"))
        found.update({ours: user[theirs] for theirs, ours in names if theirs in user})
    return found


def _file(iso: pycdlib.PyCdlib, path: str) -> bytes | None:
    content = io.BytesIO()
    try:
        iso.get_file_from_iso_fp(content, joliet_path=path)
    except pycdlib.pycdlibexception.PyCdlibInvalidInput:
        return None
    return content.getvalue()
