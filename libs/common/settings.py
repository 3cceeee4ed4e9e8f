"""Settings: frozen structs read from the environment, all faults reported at once, one sentence each.

A field `database_url` of the service `api` is read from `API_DATABASE_URL`, else from `DATABASE_URL`; a field whose type
is itself a settings struct is read in the same way, field by field. Unknown variables are ignored. An empty value means
the default. `JWT_SECRET_FILE` names a file that holds the value of `JWT_SECRET`, and so for every setting.
"""

import os
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

from libs.common.secrets import address_fault, is_secret, secret_fault

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class SettingsError(Exception):
    """The environment does not make sense; `faults` names each setting and what is wrong with it."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class DatabaseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where this service remembers; every service has a URL of its own, so a schema can move without a code change."""

    database_url: str = ""
    """PostgreSQL URL of the runtime role; SQLAlchemy's `postgresql+driver://` is understood. Required to serve."""
    migration_database_url: str = ""
    """PostgreSQL URL of the role that owns the schema. Required to migrate."""
    database_pool_size: int = 20
    """Connections held open at most, each opened when first needed; four services stay below PostgreSQL's default of 100."""
    database_timeout_seconds: float = 10.0
    """Deadline of one statement."""
    database_connection_age_seconds: float = 1800.0
    """A connection older than this is replaced, so that load spreads over servers that were added."""
    database_connection_idle_seconds: float = 60.0
    """A connection unused for so long is closed; keep it shorter than what firewalls and load balancers in between allow."""
    database_transaction_pooling: bool = False
    """Set this when the database URL names a pooler in transaction mode, such as PgBouncer."""


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How this service hears and speaks."""

    rabbitmq_url: str = "amqp://guest:guest@localhost:5672/"
    """AMQP 0-9-1 URL, virtual host included."""
    outbox_gap_seconds: float = 0.010
    """Pause between two rounds of the relay, in which packs form (measured: 5 to 20 ms is best on small machines)."""
    outbox_poll_seconds: float = 0.5
    """How often the relay looks on its own, the net under the in-process wake-up."""
    outbox_batch_max: int = 1000
    """Outbox rows that one relay round takes at most."""
    pack_events_max: int = 100
    """Events that one AMQP message carries at most."""
    consumer_batch_max: int = 500
    """Events that one consumer transaction takes at most."""
    consumer_prefetch: int = 50
    """Unacknowledged AMQP messages that one queue may push into this process."""
    inbox_retention_days: int = 14
    """How long events are remembered, so that each takes effect once: longer than any queue, retry or dead letter is normally
    left; at least 2."""
    message_idle_max_seconds: float = 10.0
    """How long this process may hold a message unacknowledged without working on it; then its channel is closed, so that
    it comes again."""
    topology_every_seconds: float = 5.0
    """How often exchanges, queues and bindings are declared again, so that what somebody has deleted comes back."""
    request_timeout_seconds: float = 5.0
    """How long a request to another service may take before the answer is 503."""


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where this service is asked."""

    http_host: str = "127.0.0.1"
    """Address to listen on."""
    http_port: int = 8000
    """Port to listen on."""
    http_in_flight_max: int = 1000
    """Requests that this process has in progress at a time, those that wait included; the next one is answered 503."""
    http_keep_alive_seconds: int = 95
    """How long an idle connection is kept: longer than the proxies before us keep theirs, or they send into a closed one."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks (CIDR) of proxies whose X-Forwarded-For and X-Forwarded-Proto count; empty: nobody's."""
    shutdown_timeout_seconds: float = 15.0
    """How long a stopping process may take to finish what it has begun."""


class PlaceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which place this is."""

    app_env: str = "local"
    """`local` allows development defaults; anything else refuses them."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""

    @property
    def is_local(self) -> bool:
        """Whether development defaults are allowed."""
        return self.app_env == "local"


def load[T: msgspec.Struct](
    kind: type[T],
    *,
    service: str,
    environ: Mapping[str, str] | None = None,
    check: Callable[[T], list[str]] | None = None,
) -> T:
    """Read settings of type `kind` for `service` from the environment.

    Raises:
        SettingsError: naming every setting that is missing or unreadable; `check` adds faults that need several fields.
    """
    env = os.environ if environ is None else environ
    faults: list[str] = []
    settings = _read(kind, service.upper(), env, faults)
    if settings is None or faults:
        raise SettingsError(faults)
    place = getattr(settings, "place", None)
    if isinstance(place, PlaceSettings) and not place.is_local:
        faults += _unsafe_secrets(settings, service.upper(), env)
    http = getattr(settings, "http", None)
    if isinstance(http, HttpSettings):
        faults += _http_faults(http)
    if check is not None:
        faults += check(settings)
    if faults:
        raise SettingsError(faults)
    return settings


def _read[T: msgspec.Struct](kind: type[T], prefix: str, env: Mapping[str, str], faults: list[str]) -> T | None:
    values: dict[str, Any] = {}
    before = len(faults)
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            values[field.name] = _read(field.type, prefix, env, faults)
            continue
        name = field.name.upper()
        own = f"{prefix}_{name}"
        known = len(faults)
        used, text = _text(own, name, env, faults)
        if not text:
            if field.required and len(faults) == known:
                faults.append(f"{name} is not set (or {own})")
            continue
        try:
            values[field.name] = _convert(text, field.type)
        except (ValueError, msgspec.ValidationError) as fault:
            faults.append(f"{used} is not usable: {fault}")
    return kind(**values) if len(faults) == before else None


def _http_faults(http: HttpSettings) -> list[str]:
    faults = [] if http.http_keep_alive_seconds > 0 else ["HTTP_KEEP_ALIVE_SECONDS must be above 0"]
    for network in http.trusted_proxies:
        try:
            ip_network(network)
        except ValueError as fault:
            faults.append(f"TRUSTED_PROXIES has an entry that is no address or network in CIDR form: {fault}")
    return faults


def _text(own: str, name: str, env: Mapping[str, str], faults: list[str]) -> tuple[str, str]:
    """Find a setting: the service's own, else the common one; each as a value, or as a file with the value.

    Returns the name that was used and the value, which is empty where there is none.
    """
    for used in (own, name):
        text, file = env.get(used, ""), env.get(f"{used}_FILE", "")
        if text and file:
            faults.append(f"{used} and {used}_FILE are both set; keep one of them")
            return used, ""
        if text:
            return used, text
        if file:
            try:
                return used, Path(file).read_text().strip()
            except (OSError, UnicodeDecodeError) as fault:
                faults.append(f"{used}_FILE names a file that cannot be read: {fault}")
                return used, ""
    return name, ""


def _unsafe_secrets(settings: msgspec.Struct, prefix: str, env: Mapping[str, str]) -> list[str]:
    """Say which secrets everybody knows or may guess; one sentence each."""
    faults: list[str | None] = []
    for field in msgspec.structs.fields(settings):
        value = getattr(settings, field.name)
        name = field.name.upper()
        used, text = _text(f"{prefix}_{name}", name, env, [])
        if isinstance(value, msgspec.Struct):
            faults += _unsafe_secrets(value, prefix, env)
        elif is_secret(field.name) and text:
            values = value if isinstance(value, tuple) else (value,)
            faults += [secret_fault(field.name, one, setting=used) for one in values]
        elif field.name.endswith("_url") and value:
            faults.append(address_fault(value, setting=used))
    return [fault for fault in faults if fault is not None]


def _convert(text: str, kind: Any) -> Any:
    if kind is bool:
        lowered = text.strip().lower()
        if lowered in _TRUE:
            return True
        if lowered in _FALSE:
            return False
        raise ValueError(f"expected true or false, got {text!r}")
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        return tuple(_convert(part.strip(), item) for part in text.split(",") if part.strip())
    return msgspec.convert(text.strip(), kind, strict=False)


def postgres_dsn(url: str) -> str:
    """Write a database URL as PostgreSQL's own library reads it: `postgresql+psycopg://` becomes `postgresql://`."""
    return re.sub(r"^postgres(?:ql)?(?:\+\w+)?://", "postgresql://", url)
