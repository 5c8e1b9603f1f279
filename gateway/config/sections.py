"""All that can be configured: a dataclass per section of the file; the defaults are the shipped ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from drivers.base import HypervisorSettings
from gateway.config.catalog import CatalogEntry
from gateway.quotas import PROJECT, USER, Defaults

Persistence = Literal["hourly", "daily", "weekly", "monthly", "yearly"]


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The section [server]. ``listen`` is host:port. ``base_url`` is what clients see, when a proxy stands in front.

    ``max_body`` is in bytes. ``hosts`` are the names by which clients may call, ``origins`` those whose pages may ask
    for changes. Connections are counted overall and of one address; those of a request that does not come in time are
    closed.
    """

    listen: str = "127.0.0.1:8080"
    base_url: str = ""
    socket: str = ""
    """Path of a socket for this host, whose peers are known by their uid; empty for none."""
    socket_group: str = ""
    """Group that may open it, whose members are admins there; empty: the gateway's own."""
    tls_certificate: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    """Authorities whose certificates let the user in that the subject names (CN)."""
    tls_client_certificates: str = ""
    """Directory with a certificate USER.crt for each user who comes in by one of their own."""
    trusted_proxies: list[str] = field(default_factory=list)
    max_body: int = 1_048_576
    hosts: list[str] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    connections: int = 2000
    connections_per_address: int = 200
    header_seconds: float = 10.0
    document_seconds: float = 30.0
    idle_seconds: float = 75.0

    @property
    def host(self) -> str:
        """The host to listen on, without the brackets of an IPv6 address."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on."""
        return int(self.listen.rpartition(":")[2])

    @property
    def loopback(self) -> bool:
        """True when only this host can reach the listener."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """The section [store]: the database, and the keys for the secrets in it."""

    path: str = "/var/lib/cimi-gateway/gateway.db"
    key: str = ""
    """File of the key that seals the secrets in it; empty: the systemd credential, else a file beside the database."""
    former_keys: list[str] = field(default_factory=list)
    """Files of keys that open what they sealed; it is sealed anew with ``key``."""


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """The section [auth]. ``public_entry_point`` shows the Cloud Entry Point without credentials.

    ``allow_insecure_basic`` lets passwords cross a network in the clear.
    """

    users_file: str = "/etc/cimi-gateway/users"
    """The users of the first start; from then on they are in the store."""
    socket_users: list[str] = field(default_factory=list)
    """Accounts of this host, by name or uid, that are users here when they come by the socket: ``backup = ann``."""
    proxy_user_header: str = ""
    """Header in which a trusted proxy names the user that it has let in; empty: no proxy does."""
    public_entry_point: bool = False
    allow_insecure_basic: bool = False


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """The section [oidc]: an OpenID Connect provider whose tokens let users in; without an ``issuer`` none does.

    ``user_claim`` names the user; ``role_claim`` the most that the token allows, and ``project_claim`` the project in
    which it counts, where they are set.
    """

    issuer: str = ""
    audience: str = ""
    user_claim: str = "preferred_username"
    role_claim: str = ""
    project_claim: str = ""
    private_networks: list[str] = field(default_factory=list)
    """Networks that the keys may be fetched from although they are private, loopback or link-local."""


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """The section [images]: the places that images come from, and how large they may be. Sizes in bytes.

    ``stall_seconds`` without any progress end a transfer; ``upload_minutes`` after the last byte an unfinished upload
    is given up.
    """

    directories: list[str] = field(default_factory=list)
    export_directories: list[str] = field(default_factory=list)
    """Directories that packages of Systems may be written to."""
    staging: str = ""
    """Directory where images are put down before they reach a pool; empty: ``staging`` beside the store."""
    reserve: int = 256 * 1024**2
    """Bytes of the disk that the store lies on, for the store alone."""
    largest: int = 2 * 1024**4
    """Bytes of a virtual disk at most."""
    largest_file: int = 256 * 1024**3
    """Bytes of an image file at most, by URL or upload."""
    url_schemes: list[str] = field(default_factory=lambda: ["https", "http"])
    private_networks: list[str] = field(default_factory=list)
    """Networks that images may be fetched from although they are private, loopback or link-local."""
    stall_seconds: float = 60.0
    upload_minutes: int = 1440
    waiting_uploads: int = 20
    """Images that a user may have at once which wait for their bytes."""
    catalog: str = ""
    """The file with well-known images; empty: none."""


@dataclass(frozen=True, slots=True)
class JobSettings:
    """The section [jobs]. ``retention_minutes`` ended Jobs are kept; ``answer_wait`` and the deadlines in seconds."""

    workers: int = 8
    retention_minutes: int = 1440
    answer_wait: float = 2.0
    stop_deadline: float = 60.0
    detach_deadline: float = 20.0
    """Seconds that a running guest may take to let go of a device."""


@dataclass(frozen=True, slots=True)
class EventSettings:
    """The section [events]: the time that events are kept where the client chooses none, and limits of their number."""

    persistence: Persistence = "monthly"
    most_per_log: int = 10_000
    most_overall: int = 100_000
    changes_persistence: Persistence = "yearly"
    """Persistence of the log of changes, which holds no refusals."""
    most_changes: int = 300_000
    most_streams: int = 1000
    """Readers of the live stream in all; admins who read none yet come on top."""
    most_streams_per_user: int = 20


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """The section [audit]: how long, and how many, entries the audit log keeps, and whether the journal gets them too.

    What strangers cause is counted for itself.
    """

    keep_days: int = 366
    most: int = 1_000_000
    most_of_strangers: int = 100_000
    journal: bool = False


@dataclass(frozen=True, slots=True)
class MonitoringSettings:
    """The section [monitoring].

    ``period`` is seconds between two looks at the guests, and so the least interval of samples; ``default_interval``
    is in seconds, too. Samples are kept as measured for some hours, as means of five minutes and then as means of
    hours for some days. ``most_meters`` is the limit of one resource.
    """

    period: int = 10
    default_interval: int = 60
    keep_raw_hours: int = 24
    keep_five_minutes_days: int = 31
    keep_hours_days: int = 366
    most_meters: int = 50


@dataclass(frozen=True, slots=True)
class MachineSettings:
    """The section [machines].

    ``least_memory`` is in KiB: with less a guest is killed, or never starts. An image may say otherwise.
    """

    least_memory: int = 65_536


@dataclass(frozen=True, slots=True)
class CompatibilitySettings:
    """The section [compatibility]: the things that are done for old clients only.

    ``deltacloud``: JSON ResourceMetadata has its attribute also under the name of 1.0.
    """

    deltacloud: bool = True


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """The section [metrics].

    ``listen`` is host:port of a listener for scrapers, which asks for no credentials; empty for none.
    """

    listen: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration of a gateway, as its file at ``path`` says."""

    path: Path
    server: ServerSettings
    store: StoreSettings
    auth: AuthSettings
    images: ImageSettings
    jobs: JobSettings
    hypervisors: tuple[HypervisorSettings, ...]
    oidc: OidcSettings = OidcSettings()
    events: EventSettings = EventSettings()
    audit: AuditSettings = AuditSettings()
    quotas: Mapping[str, int] = field(default_factory=dict)
    """How much a project may have of each quota that is named here, where an admin has set nothing else for it."""
    user_quotas: Mapping[str, int] = field(default_factory=dict)
    """How much a user may have in all projects together."""

    @property
    def default_quotas(self) -> Defaults:
        """Return what projects and users may have where nothing else was set."""
        return {PROJECT: self.quotas, USER: self.user_quotas}

    metrics: MetricsSettings = MetricsSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    machines: MachineSettings = MachineSettings()
    compatibility: CompatibilitySettings = CompatibilitySettings()
    catalog: tuple[CatalogEntry, ...] = ()
    """The images of [images] catalog."""
