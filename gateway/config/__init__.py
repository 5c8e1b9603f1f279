"""The configuration file: TOML, every key declared in ``sections``, every mistake named with file and key."""

from __future__ import annotations

import math
import os
import re
import tomllib
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from drivers.base import HypervisorSettings
from gateway.config.catalog import CatalogEntry, read_catalog
from gateway.config.networks import check_networks
from gateway.config.pools import check_pools
from gateway.config.quotas import QUOTA_SECTIONS, check_overcommit, read_quotas
from gateway.config.reader import ConfigError, read_table
from gateway.config.sections import (
    AuditSettings,
    AuthSettings,
    CompatibilitySettings,
    EventSettings,
    ImageSettings,
    JobSettings,
    MachineSettings,
    MetricsSettings,
    MonitoringSettings,
    OidcSettings,
    ServerSettings,
    Settings,
    StoreSettings,
)
from gateway.config.wire import check_oidc, check_proxy_header, check_wire

__all__ = [
    "DEFAULT_PATH",
    "AuditSettings",
    "AuthSettings",
    "CatalogEntry",
    "CompatibilitySettings",
    "ConfigError",
    "EventSettings",
    "ImageSettings",
    "JobSettings",
    "MachineSettings",
    "MetricsSettings",
    "MonitoringSettings",
    "OidcSettings",
    "ServerSettings",
    "Settings",
    "StoreSettings",
    "load",
]
BASE_URL = re.compile(r"https?://[^/?#\s]+(/[^?#\s]*)?")
DEFAULT_PATH = Path("/etc/cimi-gateway/gateway.toml")
SECTIONS: dict[str, type[Any]] = {
    "server": ServerSettings,
    "store": StoreSettings,
    "auth": AuthSettings,
    "oidc": OidcSettings,
    "images": ImageSettings,
    "jobs": JobSettings,
    "events": EventSettings,
    "audit": AuditSettings,
    "metrics": MetricsSettings,
    "monitoring": MonitoringSettings,
    "machines": MachineSettings,
    "compatibility": CompatibilitySettings,
}
PATHS = {
    "server": ("socket", "tls_certificate", "tls_key", "tls_client_ca", "tls_client_certificates"),
    "store": ("path", "key", "former_keys"),
    "auth": ("users_file",),
    "images": ("directories", "export_directories", "staging", "catalog"),
}
"""Keys whose relative paths are relative to the configuration file."""


def load(path: Path) -> Settings:
    """Return the settings in a file, all of which is checked. Raises ConfigError for the first mistake."""
    try:
        document = tomllib.loads(path.read_text())
    except PermissionError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; root and the service's user may") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None
    unknown = [name for name in document if name not in SECTIONS and name not in ("hypervisor", *QUOTA_SECTIONS)]
    if unknown:
        raise ConfigError(f"{path}: unknown section [{unknown[0]}]")
    sections: dict[str, Any] = {
        name: _section(path, name, kind, document.get(name, {})) for name, kind in SECTIONS.items()
    }
    images = sections["images"]
    sections["images"] = replace(images, staging=images.staging or str(Path(sections["store"].path).parent / "staging"))
    hypervisors = _hypervisors(path, document.get("hypervisor"))
    sections |= {name: read_quotas(path, name, document.get(name, {})) for name in QUOTA_SECTIONS}
    catalog = read_catalog(Path(images.catalog)) if images.catalog else ()
    settings = Settings(path=path, hypervisors=hypervisors, catalog=catalog, **sections)
    _check(settings)
    return settings


def _section(path: Path, name: str, kind: type[Any], given: Any) -> Any:
    section = read_table(path, f"[{name}]", kind, given)
    return replace(section, **{key: _resolved(path, getattr(section, key)) for key in PATHS.get(name, ())})


def _resolved(path: Path, value: Any) -> Any:
    if isinstance(value, list):
        return [_resolved(path, entry) for entry in value]
    return str(path.parent.resolve() / value) if value else value


def _hypervisors(path: Path, given: Any) -> tuple[HypervisorSettings, ...]:
    if not isinstance(given, list) or not given:
        raise ConfigError(f"{path}: needs at least one [[hypervisor]]")
    entries = tuple(read_table(path, "[[hypervisor]]", HypervisorSettings, entry) for entry in given)
    for entry in entries:
        for key in ("name", "uri", "pool", "network"):
            if not getattr(entry, key):
                raise ConfigError(f"{path}: [[hypervisor]] {key}: must not be empty")
        check_pools(path, entry)
        check_networks(path, entry)
        check_overcommit(path, entry)
    return entries


def _check_listen(path: Path, section: str, listen: str) -> None:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"{path}: [{section}] listen: must be host:port, not {listen!r}")


def _check(settings: Settings) -> None:
    path, server, jobs = settings.path, settings.server, settings.jobs
    _check_server(path, server)
    check_wire(path, server)
    check_oidc(path, settings.oidc)
    check_proxy_header(path, settings.auth.proxy_user_header, server.trusted_proxies)
    if settings.metrics.listen:
        _check_listen(path, "metrics", settings.metrics.listen)
    for key, value, least in (
        ("[jobs] workers", jobs.workers, 1),
        ("[jobs] retention_minutes", jobs.retention_minutes, 1),
        ("[jobs] answer_wait", jobs.answer_wait, 0),
        ("[jobs] stop_deadline", jobs.stop_deadline, 1),
        ("[jobs] detach_deadline", jobs.detach_deadline, 1),
        ("[server] max_body", server.max_body, 1024),
        ("[events] most_per_log", settings.events.most_per_log, 100),
        ("[events] most_overall", settings.events.most_overall, 100),
        ("[machines] least_memory", settings.machines.least_memory, 1),
        ("[events] most_changes", settings.events.most_changes, 100),
        ("[audit] keep_days", settings.audit.keep_days, 1),
        ("[audit] most", settings.audit.most, 100),
        ("[audit] most_of_strangers", settings.audit.most_of_strangers, 0),
        ("[events] most_streams", settings.events.most_streams, 1),
        ("[events] most_streams_per_user", settings.events.most_streams_per_user, 1),
        *_least_of_monitoring(settings.monitoring),
    ):
        if not least <= value < math.inf:
            raise ConfigError(f"{path}: {key}: must be at least {least}, not {value}")
    _check_images(path, settings.images)
    names = [entry.name for entry in settings.hypervisors]
    if len(set(names)) != len(names):
        raise ConfigError(f"{path}: [[hypervisor]] name: two have the same name")
    if not server.tls_certificate and not server.loopback and not settings.auth.allow_insecure_basic:
        raise ConfigError(
            f"{path}: [server] listen: passwords would cross {server.listen} in the clear; set tls_certificate and "
            "tls_key, listen on a loopback address, or set [auth] allow_insecure_basic = true"
        )


def _least_of_monitoring(monitoring: MonitoringSettings) -> tuple[tuple[str, int, int], ...]:
    return (
        ("[monitoring] period", monitoring.period, 1),
        ("[monitoring] default_interval", monitoring.default_interval, monitoring.period),
        ("[monitoring] keep_raw_hours", monitoring.keep_raw_hours, 1),
        ("[monitoring] keep_five_minutes_days", monitoring.keep_five_minutes_days, 1),
        ("[monitoring] keep_hours_days", monitoring.keep_hours_days, 1),
        ("[monitoring] most_meters", monitoring.most_meters, 1),
    )


def _check_server(path: Path, server: ServerSettings) -> None:
    _check_listen(path, "server", server.listen)
    if bool(server.tls_certificate) != bool(server.tls_key):
        raise ConfigError(f"{path}: [server] tls_certificate and tls_key belong together")
    if (server.tls_client_ca or server.tls_client_certificates) and not server.tls_certificate:
        raise ConfigError(f"{path}: [server] tls_client_ca and tls_client_certificates need tls_certificate")
    for key in ("tls_certificate", "tls_key"):
        file = getattr(server, key)
        if file and not os.path.isfile(file):  # noqa: PTH113 - Path's raises where a directory may not be searched
            raise ConfigError(f"{path}: [server] {key}: {file} is no file")
    if server.base_url and not BASE_URL.fullmatch(server.base_url):
        raise ConfigError(f"{path}: [server] base_url: must be http:// or https://, a host, and at most a path")
    for entry in server.trusted_proxies:
        try:
            ip_network(entry)
        except ValueError as error:
            raise ConfigError(f"{path}: [server] trusted_proxies: {error}") from None


def _check_images(path: Path, images: ImageSettings) -> None:
    for key, value, least in (
        ("largest", images.largest, 1024**2),
        ("largest_file", images.largest_file, 1024**2),
        ("reserve", images.reserve, 0),
        ("stall_seconds", images.stall_seconds, 0.1),
        ("upload_minutes", images.upload_minutes, 1),
        ("waiting_uploads", images.waiting_uploads, 1),
    ):
        if not least <= value < math.inf:
            raise ConfigError(f"{path}: [images] {key}: must be at least {least}, not {value}")
    for scheme in images.url_schemes:
        if scheme not in ("http", "https"):
            raise ConfigError(f"{path}: [images] url_schemes: http and https are known, not {scheme!r}")
    for network in images.private_networks:
        try:
            ip_network(network)
        except ValueError:
            raise ConfigError(f"{path}: [images] private_networks: {network!r} is no network") from None
