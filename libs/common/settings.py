"""Settings: frozen structs read from the environment, all faults reported at once, one sentence each.

A field `database_url` of the service `api` is read from `API_DATABASE_URL`, else from `DATABASE_URL`; a field whose type
is itself a settings struct is read in the same way, field by field. An empty value means the default. `JWT_SECRET_FILE`
names a file that holds the value of `JWT_SECRET`, and so for every setting. A variable that is almost the name of a setting
is a fault, see `setting_names`. A field `database_password` beside `database_url` is put into that address, whatever its
characters; it wins over a password that stands there.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from libs.common import setting_names
from libs.common.addresses import escaped, has_password, with_credentials
from libs.common.secrets import address_fault, is_secret, secret_fault
from libs.common.setting_values import (
    AmqpAddress,
    Count,
    Host,
    Long,
    Network,
    Pairs,
    Port,
    PostgresAddress,
    Short,
    VirtualHost,
    WebAddress,
    Word,
    between,
    convert,
    shown,
)


class SettingsError(Exception):
    """The environment does not make sense; `faults` names each setting and what is wrong with it."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class DatabaseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where this service remembers; every service has a URL of its own, so a schema can move without a code change."""

    database_url: PostgresAddress = ""
    """PostgreSQL URL of the runtime role; SQLAlchemy's `postgresql+driver://` is understood. Required to serve."""
    database_password: str = ""
    """Password of the runtime role, of any characters."""
    migration_database_url: PostgresAddress = ""
    """PostgreSQL URL of the role that owns the schema. Required to migrate."""
    migration_database_password: str = ""
    """Password of the role that owns the schema, of any characters."""
    database_pool_size: Annotated[int, between(1, 1000)] = 20
    """Connections held open at most, each opened when first needed; four services stay below PostgreSQL's default of 100."""
    database_timeout_seconds: Short = 10.0
    """Deadline of one statement."""
    database_connection_age_seconds: Long = 1800.0
    """A connection older than this is replaced, so that load spreads over servers that were added."""
    database_connection_idle_seconds: Long = 60.0
    """A connection unused for so long is closed; keep it shorter than what firewalls and load balancers in between allow."""
    database_transaction_pooling: bool = False
    """Set this when the database URL names a pooler in transaction mode, such as PgBouncer."""


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How this service exchanges messages."""

    rabbitmq_url: AmqpAddress = "amqp://guest:guest@localhost:5672/"
    """AMQP 0-9-1 URL, virtual host included."""
    rabbitmq_password: str = ""
    """Password of its user, of any characters."""
    rabbitmq_redrive_url: AmqpAddress = ""
    """The same with the user who may redrive dead letters; for that command alone. Empty: `RABBITMQ_URL`, as on a private broker."""
    outbox_gap_seconds: Annotated[float, between(0, 60)] = 0.010
    """Pause between two rounds of the relay, in which packs form (measured: 5 to 20 ms is best on small machines)."""
    outbox_poll_seconds: Short = 0.5
    """How often the relay looks on its own, the net under the in-process wake-up."""
    outbox_batch_max: Count = 1000
    """Outbox rows that one relay round takes at most."""
    pack_events_max: Annotated[int, between(1, 10_000)] = 100
    """Events that one AMQP message carries at most."""
    consumer_batch_max: Count = 500
    """Events that one consumer transaction takes at most."""
    consumer_prefetch: Annotated[int, between(1, 65_535)] = 50
    """Unacknowledged AMQP messages that one queue may push into this process."""
    inbox_retention_days: Annotated[int, between(2, 3_650)] = 14
    """How long events are remembered, so that each takes effect once: longer than any queue, retry or dead letter is normally
    left; at least 2."""
    outbox_kept_days: Annotated[int, between(0, 365)] = 2
    """How many whole days what was published is kept, so that it can be published again exactly as it was; 0: not at all. A
    payment publishes nine messages of about 600 bytes each. Less than `inbox_retention_days`, or subscribers take it twice."""
    message_idle_max_seconds: Short = 10.0
    """How long this process may hold a message unacknowledged without working on it; then its channel is closed, so that
    it comes again."""
    topology_every_seconds: Short = 15.0
    """How often exchanges, queues and bindings are declared again, so that what somebody has deleted comes back."""
    request_timeout_seconds: Short = 5.0
    """How long a request to another service may take before the answer is 503."""


class PartnerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where other teams meet this service."""

    partners_vhost: VirtualHost = "/"
    """The virtual host at the same RabbitMQ in which other teams publish and read: `payments.x` and their own exchanges are
    there. The one that `RABBITMQ_URL` names: they are among our own."""


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where this service is reached."""

    http_host: Host = "127.0.0.1"
    """Address to listen on."""
    http_port: Port = 8000
    """Port to listen on."""
    http_in_flight_max: Count = 1000
    """Requests that this process has in progress at a time, those that wait included; the next one is answered 503."""
    http_connections_max: Annotated[int, between(1, 1_000_000)] = 2000
    """Connections that are open at a time; the next one is answered 503. From three quarters on, idle ones are closed soon."""
    http_url_bytes_max: Annotated[int, between(256, 65_536)] = 8192
    """The longest URL that is taken; beyond it the answer is 414 (RFC 9110, 4.1 recommends 8000 at least)."""
    http_header_bytes_max: Annotated[int, between(1024, 1_048_576)] = 65_536
    """The largest headers of one request; beyond it the answer is 431."""
    http_header_count_max: Annotated[int, between(10, 1000)] = 100
    """Headers that one request may have; beyond it the answer is 431."""
    http_header_seconds: Annotated[float, between(0.1, 3_600)] = 10.0
    """How long the headers of a request may take to arrive before the answer is 408."""
    http_body_bytes_max: Annotated[int, between(1024, 1_073_741_824)] = 8_388_608
    """The largest body that is taken on any route; beyond it the answer is 413. Single routes take less."""
    http_bodies_bytes_max: Annotated[int, between(16_384, 1_099_511_627_776)] = 25_165_824
    """Bytes of bodies that this process holds at a time, of all requests together but for the first 16 kB of each; beyond it
    the answer is 503. At least HTTP_BODY_BYTES_MAX. Bodies of more than 262,144 bytes may take three quarters of it, or one
    of HTTP_BODY_BYTES_MAX, and count from their headers on."""
    http_body_seconds: Annotated[float, between(0.1, 3_600)] = 20.0
    """How long the body of a request may take to arrive before the answer is 408."""
    http_write_seconds: Annotated[float, between(0.1, 3_600)] = 30.0
    """How long a client may leave what we send unread before its connection is closed."""
    http_keep_alive_seconds: Annotated[int, between(1, 3_600)] = 95
    """How long an idle connection is kept: longer than the proxies before us keep theirs, or they send into a closed one."""
    trusted_proxies: tuple[Network, ...] = ()
    """Addresses and networks (CIDR) of proxies whose X-Forwarded-For and X-Forwarded-Proto count; empty: nobody's."""
    operations_token: str = ""
    """When set, `/metrics` and `/asyncapi` require it as a bearer token; empty: they are open to whoever reaches the port."""
    loop_stall_warn_seconds: Annotated[float, between(0.01, 3_600)] = 0.5
    """An event loop that stands still for longer is logged."""
    shutdown_timeout_seconds: Annotated[float, between(1, 3_600)] = 15.0
    """How long a stopping process may take to finish what it has begun."""


class TracingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where spans of traces go. The names are those of OpenTelemetry, which reads its further ones itself."""

    otel_exporter_otlp_endpoint: WebAddress = ""
    """Where a collector takes OTLP over HTTP, without `/v1/traces`; empty: traces are off."""
    otel_exporter_otlp_headers: Pairs = ""
    """Headers for it, as `name=value` in a comma list, values percent-encoded: of a collector that demands a key."""
    otel_traces_sampler_arg: Annotated[float, between(0, 1)] = 0.1
    """Which part of the traces that begin here is recorded, from 0 to 1: each span that is recorded costs CPU. Of a
    trace that a caller began, the caller decides, `traces_of_callers_per_second` times."""
    traces_of_callers_per_second: Annotated[int, between(0, 1_000_000)] = 20
    """Traces a second that one process records because the caller of a request demands it; of further ones the part decides."""
    otel_bsp_max_queue_size: Count = 8192
    """Spans that wait to be sent at most, of about 1 kB each; further ones are dropped."""


class PlaceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which place this is."""

    app_env: Word = "local"
    """`local` allows development defaults; anything else refuses them."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
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
    faults = [*setting_names.misspelled(env)]
    settings = _read(kind, service.upper(), env, faults)
    if settings is None or faults:
        raise SettingsError(faults)
    place = getattr(settings, "place", None)
    if isinstance(place, PlaceSettings) and not place.is_local:
        faults += _unsafe_secrets(settings, service.upper(), env)
    broker = getattr(settings, "broker", None)
    if isinstance(broker, BrokerSettings) and broker.outbox_kept_days >= broker.inbox_retention_days:
        faults.append(
            "OUTBOX_KEPT_DAYS must be below INBOX_RETENTION_DAYS, or what is published again may take effect twice"
        )
    http = getattr(settings, "http", None)
    if isinstance(http, HttpSettings) and http.http_bodies_bytes_max < http.http_body_bytes_max:
        faults.append("HTTP_BODIES_BYTES_MAX must be at least HTTP_BODY_BYTES_MAX")
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
            values[field.name] = convert(text, field.type)
        except ValueError as must_be:
            faults.append(_sentence(used, text, str(must_be), kind))
    if len(faults) > before:
        return None
    settings = kind(**values)
    return msgspec.structs.replace(settings, **_addresses(settings, env))


def _sentence(used: str, text: str, must_be: str, kind: type[msgspec.Struct]) -> str:
    """Say what a setting must be. A wrong value that may be secret, or holds a password, is not repeated."""
    field = used.lower()
    if is_secret(field):
        return f"{used} must be {must_be}"
    if not field.endswith(("_url", "_uri")):
        return f"{used} must be {must_be}, not {shown(text)}"
    beside = f"{field.removesuffix('_url')}_password"
    if any(beside.endswith(name) for name in kind.__struct_fields__ if name.endswith("_password")):
        return f"{used} must be {must_be}; give a password with / ? # or @ in {beside.upper()}, or percent-encode it"
    return f"{used} must be {must_be}"


def _addresses(settings: msgspec.Struct, env: Mapping[str, str]) -> dict[str, str]:
    """Complete the addresses that have a password of their own beside them, in a form that every library reads alike.

    An address of PostgreSQL that has none takes PGPASSWORD, as the driver would; here it is checked like the others.
    """
    found = {}
    for name in settings.__struct_fields__:
        beside = f"{name.removesuffix('_url')}_password"
        if name.endswith("_url") and beside in settings.__struct_fields__ and (url := getattr(settings, name)):
            given = getattr(settings, beside)
            if not given and name.endswith("database_url") and not has_password(url):
                given = env.get("PGPASSWORD", "")
            found[name] = with_credentials(url, password=given) if given else escaped(url)
    return found


def _text(own: str, name: str, env: Mapping[str, str], faults: list[str]) -> tuple[str, str]:
    """Find a setting: the service's own, else the common one; each as a value, or as a file with the value.

    Returns the name that was used and the value, which is empty where there is none.
    """
    is_exact = name.endswith("_PASSWORD")
    for used in (own, name):
        text, file = env.get(used, ""), env.get(f"{used}_FILE", "").strip()
        # A password may begin or end with a space.
        text = text if is_exact else text.strip()
        if text and file:
            faults.append(f"{used} and {used}_FILE are both set; keep one of them")
            return used, ""
        if text:
            return used, text
        if file:
            try:
                content = Path(file).read_text(encoding="utf-8")
                return used, content.rstrip("\r\n") if is_exact else content.strip()
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


def postgres_dsn(url: str) -> str:
    """Write a database URL as PostgreSQL's own library reads it: `postgresql+psycopg://` becomes `postgresql://`."""
    return re.sub(r"^postgres(?:ql)?(?:\+\w+)?://", "postgresql://", url)
