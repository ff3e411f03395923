"""Every setting of Opal, declared once and read once; nothing else reads the environment.

Each group is read from ``OPAL_<GROUP>_<NAME>`` (docs/settings.md is generated from this file). A part
gets only its own group. All faults are reported together.
"""

import hashlib
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from opal.errors import InvalidSettings
from opal.faults import in_words, message_of
from opal.outgoing_settings import ApiSettings, DeliverySettings, OutgoingSettings, WebhookSettings
from opal.platform_settings import AzureSettings, BlobSettings, DatabaseSettings, QueueSettings
from opal.setting_addresses import BaseUrl
from opal.settings_group import read_from
from opal.telemetry_settings import LogSettings, TelemetrySettings

DOCS = "docs/settings.md"
QUEUE_NAMES = ("jobs", "exports")

_SECRET = ("KEY", "CONNECTION_STRING", "DATABASE_URL")
"""In the names of variables that hold a secret, or may; a database's URL may have a password in it."""


def _default_models_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "opal" / "models"


class WebSettings(BaseSettings):
    """web-api and billing-service."""

    model_config = read_from("WEB_")

    host: str = Field(default="127.0.0.1", description="Address that the HTTP services listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="web-api's port.")
    public_url: BaseUrl | None = Field(
        default=None,
        description="Base URL of public links, web-api's or a CDN's; unset: OPAL_BLOB_PUBLIC_URL's.",
    )
    public_downloads: int = Field(
        default=64, ge=1, le=1000, description="Downloads by public links at a time, up to 1 MB memory each."
    )
    billing_port: int = Field(default=8081, ge=0, le=65535, description="billing-service's port.")
    max_body_bytes: int = Field(default=262_144, ge=1024, description="Largest JSON body accepted.")
    max_items_per_job: int = Field(default=2000, ge=1, description="Largest job accepted, photos.")
    uploads_per_photo: int = Field(
        default=5, ge=1, description="URLs that may be out at a time for one photo, or one photo's mattes."
    )
    backdrops_per_tenant: int = Field(default=100, ge=1, description="Backdrops of a tenant.")
    backdrop_bytes_per_tenant: int = Field(
        default=5_000_000_000,
        ge=1,
        description="Bytes of a tenant's backdrops; one that has none yet counts as the largest.",
    )
    requests_per_key: int = Field(
        default=6000, ge=1, description="Requests per minute of one API key; more are told 429."
    )
    requests_per_tenant: int = Field(
        default=12_000, ge=1, description="Requests per minute of all keys of a tenant together."
    )
    previews_per_tenant: int = Field(
        default=120,
        ge=1,
        description="Previews of scenes per minute of a tenant, for no credit; a cut-out counts as four.",
    )
    connections: int = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="Connections that a service has open at a time; fewer where it may open fewer than two "
        "files for each.",
    )
    connections_per_address: int | None = Field(
        default=None,
        ge=1,
        description="Of these, from one IPv4 address or IPv6 network (/64); set it only where no proxy or "
        "gateway stands before Opal, whose one address would be counted for all.",
    )
    health_host: str = Field(default="127.0.0.1", description="Address of the workers' health pages.")


class PhotoSettings(BaseSettings):
    """Which photos are accepted."""

    model_config = read_from("PHOTO_")

    max_bytes: int = Field(default=60_000_000, ge=1, description="Largest photo, bytes.")
    max_pixels: int = Field(
        default=50_000_000, ge=1, le=60_000_000, description="Largest photo worked on, pixels."
    )
    oversize: Literal["refuse", "halve"] = Field(
        default="refuse",
        description="Photos of up to four times as many pixels: refuse them, or halve their sides.",
    )
    max_side: int = Field(default=16_384, ge=1, description="Longest side, pixels.")
    min_side: int = Field(default=64, ge=1, description="Shortest side, pixels.")


class WorkerSettings(BaseSettings):
    """orchestrator and export-worker."""

    model_config = read_from("WORKER_")

    concurrency: int = Field(default=2, ge=1, le=64, description="Items that one worker works on at a time.")
    lease_s: float = Field(
        default=60.0, ge=0.5, le=1800, description="How long an item belongs to a silent worker."
    )
    max_failures: int = Field(default=5, ge=1, description="Failures before an item fails for good.")
    max_interruptions: int = Field(default=15, ge=1, description="Lost leases before an item fails for good.")
    retry_base_s: float = Field(
        default=2.0, gt=0, description="First delay before a failed item is tried again."
    )
    retry_max_s: float = Field(default=120.0, gt=0, description="Longest such delay.")
    grace_s: float = Field(default=20.0, gt=0, description="Time to finish work in hand after SIGTERM.")
    health_port: int = Field(
        default=0, ge=0, le=65535, description="Port of the worker's health page; 0 picks a free one."
    )


class ScoringSettings(BaseSettings):
    """The placement endpoint, and how the orchestrator reaches it."""

    model_config = read_from("SCORING_")

    url: BaseUrl = Field(default="http://127.0.0.1:8090/score", description="The endpoint's address.")
    key: SecretStr = Field(default=SecretStr(""), description="The endpoint's key, sent as a bearer token.")
    host: str = Field(default="127.0.0.1", description="opal scoring: address to listen on.")
    port: int = Field(default=8090, ge=0, le=65535, description="opal scoring: port to listen on.")
    engine: str = Field(
        default="isnet", description="Cut-out engine: a name or an .onnx file's path (docs/models.md)."
    )
    engines: str | None = Field(
        default=None,
        pattern=in_words(r"^([a-z0-9-]+(,[a-z0-9-]+)*)?$", "names of engines, with commas between"),
        description="Further engines by name, commas between, for revisions that are cut out anew: the same "
        "for the endpoint and web-api. Unset: none, but `opal up` takes those whose weights it finds.",
    )
    threads: int = Field(default=0, ge=0, description="CPU threads of the network; 0: all cores.")
    precision: Literal["f32", "bf16"] = Field(
        default="f32",
        description="How finely the network computes; bf16: twice as fast where the processor has "
        "AVX512_BF16 or AMX, with mattes that differ a little (docs/models.md).",
    )
    concurrency: int = Field(default=1, ge=1, description="Requests that one instance works on at a time.")
    instances: int = Field(default=1, ge=1, description="Instances of the endpoint.")
    timeout_s: float = Field(default=170.0, gt=0, le=180, description="Longest wait for one answer.")
    attempts: int = Field(default=3, ge=1, le=10, description="Tries per delivery of an item.")

    @property
    def further_engines(self) -> tuple[str, ...]:
        """Names of the engines that are offered beside the default one."""
        return tuple(name for name in (self.engines or "").split(",") if name)


class ReviewSettings(BaseSettings):
    """Which photos are marked for a person to look at. They get all their pictures all the same."""

    model_config = read_from("REVIEW_")

    below: float = Field(
        default=0.8,
        ge=0,
        le=1,
        description="A cut-out whose confidence is lower is marked; 0: none ever (docs/review.md).",
    )


class SigningSettings(BaseSettings):
    """Whose name the pictures carry: C2PA manifests (docs/provenance.md). Unset, they are not signed."""

    model_config = read_from("SIGNING_")

    certificate: Path | None = Field(
        default=None,
        description="PEM file of the certificate chain, the signer's own first; set with the key.",
    )
    key: Path | None = Field(
        default=None, description="PEM file of that certificate's private key, without a passphrase."
    )
    timestamp_url: str | None = Field(
        default=None,
        pattern=in_words(r"^https?://", "an address that begins with http:// or https://"),
        description="Timestamp authority (RFC 3161), asked once per picture; unset: no timestamps.",
    )


class RemoveBgSettings(BaseSettings):
    """The remove.bg and rembg routes, which make a picture while the client waits (docs/removebg.md)."""

    model_config = read_from("REMOVEBG_")

    max_bytes: int = Field(default=22_000_000, ge=1, description="Largest picture in a request, bytes.")
    concurrency: int = Field(default=4, ge=1, le=64, description="Pictures that web-api works on at a time.")
    waiting: int = Field(default=32, ge=0, le=1000, description="Requests that may wait; more are told 429.")
    megapixels: int = Field(
        default=60,
        ge=50,
        description="Megapixels that are worked on at a time, which bounds web-api's memory.",
    )
    rate_limit: int = Field(default=500, ge=1, description="Megapixels per minute and tenant.")
    timeout_s: float = Field(default=120.0, gt=0, le=600, description="Longest wait for a picture.")
    download_timeout_s: float = Field(
        default=20.0, gt=0, le=120, description="Longest wait for an image_url."
    )
    open_tenant: str | None = Field(
        default=None,
        description="Tenant of requests to /api/remove without a key, from this machine only; unset: a key "
        "is needed. `opal up` sets it.",
    )
    improve_folder: Path | None = Field(
        default=None, description="Where POST /v1.0/improve keeps pictures; unset: it is switched off."
    )


class SweeperSettings(BaseSettings):
    """The sweeper, which heals what was left half-done."""

    model_config = read_from("SWEEPER_")

    interval_s: float = Field(default=60.0, gt=0, description="How often it runs.")
    stale_s: float = Field(
        default=120.0, gt=0, description="Age after which a waiting item without a message is sent again."
    )
    upload_expiry_s: float = Field(default=86_400.0, gt=0, description="Time a client has to upload a photo.")


class RetentionSettings(BaseSettings):
    """How long pictures are kept after their photo's work has ended. Unset, they are kept for ever."""

    # Empty is unset, so that a template can name all three.
    model_config = SettingsConfigDict(**read_from("RETENTION_"), env_ignore_empty=True)

    raw_days: int | None = Field(default=None, ge=1, description="Days that uploaded photos are kept.")
    outputs_days: int | None = Field(default=None, ge=1, description="Days that scenes and mattes are kept.")
    exports_days: int | None = Field(
        default=None,
        ge=3,
        description="Days that finished pictures are kept; longer than deliveries of them are tried.",
    )
    orphans_days: int = Field(
        default=7, ge=1, description="Days after which a blob that no row names is removed."
    )


class Settings(BaseSettings):
    """All groups. Build with ``load_settings``."""

    model_config = read_from("")

    data_dir: Path = Field(default=Path("opal-data"), description="Folder of the embedded parts.")
    models_dir: Path = Field(
        default_factory=_default_models_dir, description="Where model weights are cached."
    )
    presets_folder: Path | None = Field(
        default=None, description="Folder of your own presets (`*.toml`), read at start; see docs/presets.md."
    )

    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    queue: QueueSettings = Field(default_factory=QueueSettings)
    blob: BlobSettings = Field(default_factory=BlobSettings)
    azure: AzureSettings = Field(default_factory=AzureSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    photo: PhotoSettings = Field(default_factory=PhotoSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    scoring: ScoringSettings = Field(default_factory=ScoringSettings)
    review: ReviewSettings = Field(default_factory=ReviewSettings)
    outgoing: OutgoingSettings = Field(default_factory=OutgoingSettings)
    webhook: WebhookSettings = Field(default_factory=WebhookSettings)
    delivery: DeliverySettings = Field(default_factory=DeliverySettings)
    signing: SigningSettings = Field(default_factory=SigningSettings)
    removebg: RemoveBgSettings = Field(default_factory=RemoveBgSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    sweeper: SweeperSettings = Field(default_factory=SweeperSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings)

    @property
    def database_url(self) -> str:
        """The database's URL, the embedded one unless another is set."""
        return self.database.url or f"sqlite+aiosqlite:///{self.data_dir.absolute() / 'opal.sqlite'}"

    @property
    def blob_public_url(self) -> str:
        """Where clients and the placement endpoint reach the folder's signed URLs."""
        return (self.blob.public_url or f"http://127.0.0.1:{self.web.port}").rstrip("/")

    @property
    def api_url(self) -> str:
        """Where commands reach web-api, without a slash at its end."""
        return (self.api.url or f"http://127.0.0.1:{self.web.port}").rstrip("/")

    @property
    def public_links_url(self) -> str:
        """What public links begin with, without a slash at its end."""
        return (self.web.public_url or self.blob_public_url).rstrip("/")


GROUPS: dict[str, type[BaseSettings]] = {
    "database": DatabaseSettings,
    "queue": QueueSettings,
    "blob": BlobSettings,
    "azure": AzureSettings,
    "web": WebSettings,
    "photo": PhotoSettings,
    "worker": WorkerSettings,
    "scoring": ScoringSettings,
    "review": ReviewSettings,
    "outgoing": OutgoingSettings,
    "webhook": WebhookSettings,
    "delivery": DeliverySettings,
    "signing": SigningSettings,
    "removebg": RemoveBgSettings,
    "api": ApiSettings,
    "sweeper": SweeperSettings,
    "retention": RetentionSettings,
    "log": LogSettings,
    "telemetry": TelemetrySettings,
}


def load_settings(**overrides: Any) -> Settings:
    """Read the environment once. ``overrides`` set top-level values or whole groups.

    Raises ``InvalidSettings`` naming every faulty variable, what is wrong with it and where to look.
    """
    faults: list[str] = []
    values: dict[str, Any] = dict(overrides)
    for name, group in GROUPS.items():
        if name not in values:
            try:
                values[name] = group()
            except ValidationError as error:
                faults += _faults(error, str(group.model_config["env_prefix"]))
                # Unchecked, so that it is not read and complained about a second time below.
                values[name] = group.model_construct()
    try:
        settings = Settings(**values)
    except ValidationError as error:
        faults += _faults(error, "OPAL_")
    if faults:
        raise InvalidSettings("; ".join(dict.fromkeys(faults)) + f" (see {DOCS})")
    return settings


def child_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process that Opal starts: ours with ``changes``."""
    return {**os.environ, **changes}


def set_unless_set(values: Mapping[str, str]) -> None:
    """Put into our own environment what a vendor's package reads there and takes in no other way."""
    for name, value in values.items():
        os.environ.setdefault(name, value)


def desktop_is_there() -> bool:
    """Whether a browser opened on this machine would be seen by who started the process."""
    if sys.platform in {"darwin", "win32"}:
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def runtime_dir(data_dir: Path) -> Path:
    """A short, private folder for the sockets of one data folder (socket paths end at 108 bytes)."""
    digest = hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"opal-{os.getuid()}-{digest}"


def _faults(error: ValidationError, prefix: str) -> list[str]:
    lines = []
    for fault in error.errors():
        name = (prefix + "_".join(str(part) for part in fault["loc"]).upper()).rstrip("_")
        # A faulty secret must not reach a log or a terminal, nor a whole group, which may hold one.
        secret = not fault["loc"] or any(part in name for part in _SECRET)
        got = "" if secret else f" (got {fault['input']!r})"
        lines.append(f"{name}: {message_of(fault)}{got}")
    return lines
