"""A look at the files and directories that the configuration names."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

from cryptography import x509

from gateway.clock import now
from gateway.config import ConfigError, Settings
from gateway.doctor.finding import Finding
from gateway.doctor.service_view import UNIT
from gateway.http.tls import configured_certificate
from gateway.private_files import ExposedFile, demand_private
from gateway.store.keyring import demand_usable_keys

LOW_SPACE = 2 * 1024**3
OUT_OF_SIGHT = "the service sees nothing of /home, /root, /tmp and /var/tmp: use /srv, or docs/operations.md"
SOON = timedelta(days=21)
"""The time before a certificate's end in which it should have been renewed."""


def private(path: Path) -> Finding:
    """Return whether others may read a file of secrets.

    The gateway does not start when its key or the hashes of its users' passwords are exposed.
    """
    try:
        demand_private(path)
    except ExposedFile as error:
        return Finding("error", "secrets", error.message, f"chmod 0640 {path}")
    return Finding("ok", "secrets", f"{path} is private")


def certificate(settings: Settings) -> Finding:
    """Return whether the TLS certificate can be used: the gateway does not start with another one."""
    try:
        configured_certificate(settings.server)
    except ConfigError as error:
        return Finding("error", "certificate", error.message)
    return _validity(Path(settings.server.tls_certificate))


def _validity(chain: Path) -> Finding:
    """Return until when the first certificate of a chain, which is the server's own, is valid."""
    end = x509.load_pem_x509_certificates(chain.read_bytes())[0].not_valid_after_utc
    message, advice = f"{chain}: its last day is {end:%Y-%m-%d}", f"renew it, then systemctl reload {UNIT}"
    if end - now() >= SOON:
        return Finding("ok", "certificate", message)
    return Finding("error" if end <= now() else "warning", "certificate", message, advice)


def store(settings: Settings) -> Finding:
    """Return whether the store's directory can be written."""
    directory = Path(settings.store.path).parent
    if not _is_directory(directory) or not os.access(directory, os.W_OK):
        return Finding("error", "store", f"{directory} cannot be written", f"mkdir -p {directory}, for this user")
    return _room("store", directory, f"{settings.store.path}, ")


def store_keys(settings: Settings) -> Finding:
    """Return whether the store's keys can be used: the gateway does not start with others."""
    try:
        demand_usable_keys(Path(settings.store.path), settings.store.key, settings.store.former_keys)
    except ExposedFile as error:
        return Finding("error", "store key", error.message)
    except ConfigError as error:
        advice = "put it back from its copy: no new one opens what is sealed in the store"
        return Finding("error", "store key", error.message, advice)
    return Finding("ok", "store key", "usable, or made by the first start")


def _is_directory(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - Path's raises where a directory may not be searched


def image_directory(path: Path) -> Finding:
    """Return whether a directory that images come from can be read."""
    if not _is_directory(path) or not os.access(path, os.R_OK | os.X_OK):
        advice = f"mkdir -p {path}, readable for the service's user; {OUT_OF_SIGHT}"
        return Finding("warning", "images", f"{path} cannot be read", advice)
    return Finding("ok", "images", str(path))


def export_directory(path: Path) -> Finding:
    """Return whether a directory that packages are written to can be written."""
    if not os.access(path, os.W_OK | os.X_OK):
        advice = f"mkdir -p {path}, owned by the service's user; systemctl edit {UNIT}: [Service] ReadWritePaths={path}"
        return Finding("warning", "exports", f"{path} cannot be written", advice)
    return Finding("ok", "exports", str(path))


def staging_directory(path: Path) -> Finding:
    """Return whether the staging directory, or the one in which it will be made, can be written and has room."""
    place = next(parent for parent in (path, *path.parents) if _is_directory(parent))
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding("error", "staging", f"{path} cannot be written", "change [images] staging")
    return _room("staging", place, f"{path} has ")


def _room(subject: str, directory: Path, words: str) -> Finding:
    """Return whether there is room on the file system of a directory."""
    free = shutil.disk_usage(directory).free
    if free < LOW_SPACE:
        return Finding("warning", subject, f"{words}{free} bytes free", "free some space")
    return Finding("ok", subject, f"{words}{free // 1024**3} GiB free")
