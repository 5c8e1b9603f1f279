"""The configuration file: TOML, every key declared here, every mistake named with file and key."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any, get_type_hints

from drivers.base import HypervisorSettings
from gateway.errors import GatewayError

DEFAULT_PATH = Path("/etc/cimi-gateway/gateway.toml")
DOMAIN_TYPES = ("auto", "kvm", "qemu")


class ConfigError(GatewayError):
    """The configuration cannot be used; the message names file and key."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """``listen`` is host:port. ``base_url`` is what clients see, when a proxy stands in front. Sizes in bytes."""

    listen: str = "127.0.0.1:8080"
    base_url: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    trusted_proxies: list[str] = field(default_factory=list)
    max_body: int = 1_048_576

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    @property
    def loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class StoreSettings:
    path: str = "/var/lib/cimi-gateway/gateway.db"


@dataclass(frozen=True, slots=True)
class AuthSettings:
    users_file: str = "/etc/cimi-gateway/users"
    public_entry_point: bool = False
    allow_insecure_basic: bool = False


@dataclass(frozen=True, slots=True)
class ImageSettings:
    directories: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class JobSettings:
    """``retention_minutes`` finished jobs are kept; ``answer_wait`` and ``stop_deadline`` in seconds."""

    workers: int = 8
    retention_minutes: int = 1440
    answer_wait: float = 2.0
    stop_deadline: float = 60.0


@dataclass(frozen=True, slots=True)
class Settings:
    path: Path
    server: ServerSettings
    store: StoreSettings
    auth: AuthSettings
    images: ImageSettings
    jobs: JobSettings
    hypervisors: tuple[HypervisorSettings, ...]


SECTIONS: dict[str, type[Any]] = {
    "server": ServerSettings,
    "store": StoreSettings,
    "auth": AuthSettings,
    "images": ImageSettings,
    "jobs": JobSettings,
}
HYPERVISOR_KEYS = ("name", "uri", "pool", "network", "domain_type")
PATHS = {("server", "tls_certificate"), ("server", "tls_key"), ("store", "path"), ("auth", "users_file")}


def load(path: Path) -> Settings:
    """Read and check the whole file. Raises ConfigError for the first mistake."""
    try:
        document = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None
    unknown = [name for name in document if name not in SECTIONS and name != "hypervisor"]
    if unknown:
        raise ConfigError(f"{path}: unknown section [{unknown[0]}]")
    sections = {name: _section(path, name, kind, document.get(name, {})) for name, kind in SECTIONS.items()}
    settings = Settings(path=path, hypervisors=_hypervisors(path, document.get("hypervisor")), **sections)
    _check(settings)
    return settings


def _section(path: Path, name: str, kind: type[Any], given: Any) -> Any:
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: [{name}] must be a section")
    hints = get_type_hints(kind)
    known = {entry.name for entry in fields(kind)}
    for key, value in given.items():
        if key not in known:
            raise ConfigError(f"{path}: [{name}] {key}: unknown key; known are {', '.join(sorted(known))}")
        if not _fits(value, hints[key]):
            raise ConfigError(f"{path}: [{name}] {key}: must be {_words(hints[key])}, not {value!r}")
    values = {key: _resolved(path, (name, key), value) for key, value in given.items()}
    return kind(**values)


def _fits(value: Any, wanted: Any) -> bool:
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if wanted == list[str]:
        return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
    return isinstance(value, wanted)


def _words(wanted: Any) -> str:
    names = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}
    return names.get(wanted, "a list of strings")


def _resolved(path: Path, key: tuple[str, str], value: Any) -> Any:
    """Relative paths are relative to the configuration file."""
    if key in PATHS and value:
        return str(path.parent.resolve() / value)
    if key == ("images", "directories"):
        return [str(path.parent.resolve() / entry) for entry in value]
    return value


def _hypervisors(path: Path, given: Any) -> tuple[HypervisorSettings, ...]:
    if not isinstance(given, list) or not given:
        raise ConfigError(f"{path}: needs at least one [[hypervisor]]")
    return tuple(_hypervisor(path, entry) for entry in given)


def _hypervisor(path: Path, entry: dict[str, Any]) -> HypervisorSettings:
    required = [item.name for item in fields(HypervisorSettings) if item.default is MISSING and item.name != "options"]
    for key, value in entry.items():
        if key not in HYPERVISOR_KEYS:
            raise ConfigError(f"{path}: [[hypervisor]] {key}: unknown key; known are {', '.join(HYPERVISOR_KEYS)}")
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{path}: [[hypervisor]] {key}: must be a string, not {value!r}")
    for key in required:
        if key not in entry:
            raise ConfigError(f"{path}: [[hypervisor]] {key}: is missing")
    if entry.get("domain_type", "auto") not in DOMAIN_TYPES:
        raise ConfigError(f"{path}: [[hypervisor]] domain_type: must be one of {', '.join(DOMAIN_TYPES)}")
    return HypervisorSettings(**entry)


def _check(settings: Settings) -> None:
    path, server, jobs = settings.path, settings.server, settings.jobs
    host, _, port = server.listen.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"{path}: [server] listen: must be host:port, not {server.listen!r}")
    if bool(server.tls_certificate) != bool(server.tls_key):
        raise ConfigError(f"{path}: [server] tls_certificate and tls_key belong together")
    if server.base_url and not server.base_url.startswith(("http://", "https://")):
        raise ConfigError(f"{path}: [server] base_url: must begin with http:// or https://")
    for key, value, least in (
        ("workers", jobs.workers, 1),
        ("retention_minutes", jobs.retention_minutes, 1),
        ("answer_wait", jobs.answer_wait, 0),
        ("stop_deadline", jobs.stop_deadline, 1),
    ):
        if value < least:
            raise ConfigError(f"{path}: [jobs] {key}: must be at least {least}, not {value}")
    if server.max_body < 1024:
        raise ConfigError(f"{path}: [server] max_body: must be at least 1024 bytes")
    names = [entry.name for entry in settings.hypervisors]
    if len(set(names)) != len(names):
        raise ConfigError(f"{path}: [[hypervisor]] name: two have the same name")
    if not server.tls_certificate and not server.loopback and not settings.auth.allow_insecure_basic:
        raise ConfigError(
            f"{path}: [server] listen: passwords would cross {server.listen} in the clear; set tls_certificate and "
            "tls_key, listen on a loopback address, or set [auth] allow_insecure_basic = true"
        )
