"""What differs by place for the api."""

import base64
import re
from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from libs.common.contracts.foreign import ORDER_KEYS, ORDERS, ORDERS_EXCHANGE, SAAS_EXCHANGE, TENANT_KEYS, TENANTS
from libs.common.money import is_currency
from libs.common.setting_values import (
    Bytes,
    Count,
    HostAndPort,
    Lines,
    Long,
    Network,
    Origin,
    RedisAddress,
    Short,
    WebAddress,
    Word,
    above,
    between,
    form,
)
from libs.common.settings import (
    BrokerSettings,
    DatabaseSettings,
    HttpSettings,
    PartnerSettings,
    PlaceSettings,
    TracingSettings,
)

DEVELOPMENT_SECRET = "change-me-this-secret-is-public-and-for-local-use"  # noqa: S105 - refused outside local
"""The signing secret of a developer's machine."""

_KEY_BYTES = 32
_GIVE_UP_DAYS_MAX = 90
"""Half of the 180 days for which the gateway's database forgets no attempt: a forgotten one would charge twice."""


class CardNumbers(StrEnum):
    """What becomes of a card number in a text that is not meant for one."""

    REFUSE = "refuse"
    """The request is refused."""
    MASK = "mask"
    """All but its first six and last four digits are replaced by asterisks."""
    ALLOW = "allow"
    """It is kept as it is."""


RETENTION_DAYS_MIN = 90
"""No setting lets the audit log or a timeline be dropped earlier; the migration enforces it too."""


Currency = Annotated[str, form("an active ISO 4217 code such as BRL", is_currency)]
"""A currency that payments may have."""


class AuthSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whose tokens are accepted, and for how long."""

    jwt_secret: str = DEVELOPMENT_SECRET
    """Signs and verifies HS256 tokens; at least 32 characters outside local."""
    jwt_secret_previous: str = ""
    """Still verifies, no longer signs: set while rotating."""
    jwt_hs256: bool = True
    """Whether HS256 tokens are accepted: those of whoever has the secret. False needs `jwt_private_key`."""
    jwt_private_key: Lines = ""
    """PEM of an RSA key (2048 to 4096 bits: RS256) or a key on P-256 (ES256) that signs instead of the secret. Its public part
    is in `/.well-known/jwks.json`, so that others can verify our tokens; empty: tokens are signed with `jwt_secret`."""
    jwt_public_keys: Lines = ""
    """PEM of further public keys, one after another, that are published and verify: the next and the previous one while
    rotating."""
    jwt_issuer: str = "local-auth"
    """The `iss` claim that we write and require."""
    jwt_audience: str = ""
    """The `aud` claim that we require; empty: not checked."""
    jwks_uri: WebAddress = ""
    """Where an identity provider publishes its keys (RFC 7517); then its RS256 and ES256 tokens are accepted too."""
    jwks_issuer: str = ""
    """The `iss` claim of the identity provider's tokens; empty: the same as `jwt_issuer`."""
    token_expires_seconds: Annotated[int, between(1, 31_536_000)] = 3600
    """How long a token that we issue is valid."""
    access_age_max_seconds: Annotated[float, between(0, 3_600)] = 2.0
    """How long a changed tenant, policy or feature flag may go unnoticed where the broker does not deliver the event."""
    tenant_auto_provision: bool = True
    """Whether a verified token of a tenant that we have not met makes the tenant known."""
    api_key_mode: Literal["", "test", "live"] = ""
    """Of which mode the API keys are that are made and accepted here; empty: `test` where `APP_ENV=local`, else `live`."""


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,199}(?!\n)$")
_KEY = re.compile(r"[A-Za-z*#][A-Za-z0-9_.*#-]{0,199}(?!\n)$")
BrokerName = Annotated[
    str, form("the name of a queue or exchange such as orders.x", lambda text: bool(_NAME.match(text)))
]
"""A name at RabbitMQ."""
RoutingKey = Annotated[str, form("a routing key such as order.confirmed", lambda text: bool(_KEY.match(text)))]
"""A routing key, perhaps with wildcards."""


class TenantSyncSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Tenants as the suite publishes them."""

    saas_integration_enabled: bool = True
    """Whether the suite's events of tenants are followed."""
    saas_exchange: BrokerName = SAAS_EXCHANGE
    """Where they are published flat. What the suite's outbox publishes to `saas.events` is followed beside it."""
    saas_queue: BrokerName = TENANTS.queue
    """Our queue for them; its dead letters are in `<queue>.dead`."""
    saas_routing_keys: tuple[RoutingKey, ...] = TENANT_KEYS
    """With which routing keys they are published to `SAAS_EXCHANGE`."""


class CancelPolicy(StrEnum):
    """What becomes of the payment of an order that is cancelled."""

    REFUND = "refund"
    """It is voided, and what was taken is given back."""
    VOID = "void"
    """It is voided where nothing was taken yet; what was taken stays."""
    IGNORE = "ignore"
    """Nothing."""


class OrderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that are to be charged, as the orders service publishes them."""

    orders_integration_enabled: bool = True
    """Whether orders are charged."""
    orders_exchange: BrokerName = ORDERS_EXCHANGE
    """Where the orders service publishes. `payment.charge_requested` is taken from `payments.x` too."""
    orders_queue: BrokerName = ORDERS.queue
    """Our queue for them; its dead letters are in `<queue>.dead`."""
    orders_routing_keys: tuple[RoutingKey, ...] = ORDER_KEYS
    """With which routing keys orders come from `ORDERS_EXCHANGE`; `order.cancelled` comes in any case, unless it is ignored."""
    orders_cancel_policy: CancelPolicy = CancelPolicy.REFUND
    """What becomes of the payment of an order that is cancelled: `refund`, `void` or `ignore`."""


class PaymentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How payment intents are taken."""

    idempotency_ttl_seconds: Annotated[int, between(60, 31_536_000)] = 86400
    """How long an `Idempotency-Key` replays its answer."""
    confirm_timeout_seconds: Annotated[float, above(0, 60)] = 10.0
    """How long confirm waits for the issuer before it answers 202."""
    confirm_waiting_max: Count = 500
    """Requests that may wait for the processor at a time in this process; the next one is answered 202 at once. Below
    `http_in_flight_max`, so that a slow processor leaves room for everything else."""
    supported_currencies: tuple[Currency, ...] = ()
    """ISO 4217 codes that are accepted; empty: all active ones."""
    card_numbers: CardNumbers = CardNumbers.REFUSE
    """What becomes of a card number in a text: `refuse`, `mask` or `allow`; numbers of orders are never looked at."""


class SweepSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How payments are looked after whose next step does not come."""

    stuck_after_seconds: Long = 120.0
    """How long a payment or refund waits for another service before its command is published again; the pause doubles each
    time."""
    stuck_pause_max_seconds: Long = 3_600.0
    """The longest pause."""
    stuck_give_up_days: Annotated[float, above(0, _GIVE_UP_DAYS_MAX)] = 30.0
    """From this age on nothing is published again: a person must look. Far below the 180 days for which the gateway surely
    remembers what it has requested of a processor."""
    sweep_every_seconds: Short = 10.0
    """How often payments that wait too long are looked for."""
    abandon_after_seconds: Annotated[float, between(60, 30 * 86_400)] = 86_400.0
    """How long a payment waits for its customer (REQUIRES_ACTION) before it is cancelled at the processor. A day, as long as a
    checkout of Stripe's own stays open: who went to fetch a card or a telephone is back by then, and who has left does not
    keep an order open for weeks."""
    sweep_batch_max: Count = 200
    """Payments, and as many refunds, that one round takes at most."""


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long history is kept. It is in partitions by month, which can be detached and archived in any case."""

    audit_retention_days: Annotated[int, between(0, 36_500)] = 0
    """How long lines of the audit log are kept, in whole months; 0: for ever, else at least 90 days."""
    timeline_retention_days: Annotated[int, between(0, 36_500)] = 0
    """How long the timeline of a payment is kept after the payment was created, in whole months; 0: for ever, else at least
    90 days."""
    orders_retention_days: Annotated[int, between(0, 36_500)] = 400
    """How long it is remembered of an order that it was charged or cancelled; 0: for ever, else at least 90 days. A charged order
    is never charged again in any case, since its payment names it."""


class ProofSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How it is proved that the records of who may do what are as they were written."""

    api_signing_private_key: Lines = ""
    """PEM of the Ed25519 key that signs where the chains of changes end, once a minute; empty: nothing is signed."""
    api_signing_next_private_key: Lines = ""
    """PEM of the key that signs beside it while rotating."""
    api_public_keys: Lines = ""
    """PEM of further public keys that verify what was signed, one after another."""
    api_heads_file: str = ""
    """The file to which what was signed is appended, best where the database's administrators cannot write; empty: none."""


class RedisSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What may vanish at any moment: counts of requests, and chaos."""

    redis_url: RedisAddress = "redis://localhost:6379/0"
    """Redis URL."""
    redis_password: str = ""
    """Password of Redis, of any characters."""
    redis_sentinels: tuple[HostAndPort, ...] = ()
    """Sentinels that know which Redis is the master now. With them the host and port of `redis_url` are not used, its user, password,
    database and scheme are. Empty: `redis_url` alone."""
    redis_sentinel_master: Word = "mymaster"
    """The name under which the Sentinels know the master."""
    redis_sentinel_password: str = ""
    """Password of the Sentinels, of any characters; empty: none."""
    redis_timeout_seconds: Annotated[float, above(0, 60)] = 0.25
    """How long one question may take before Redis counts as away."""
    redis_wait_seconds: Annotated[float, above(0, 60)] = 5.0
    """How long a request may wait for a connection to Redis, while all are in use, before it is answered 503."""


class RateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests a caller may make; 0 means any number."""

    rate_limit_write_per_min: Annotated[int, between(0, 1_000_000_000)] = 60
    """Changing requests of one tenant and subject."""
    rate_limit_read_per_min: Annotated[int, between(0, 1_000_000_000)] = 240
    """Reading requests of one tenant and subject."""
    rate_limit_login_per_min: Annotated[int, between(0, 1_000_000_000)] = 10
    """Failed logins of one account."""
    rate_limit_login_address_per_min: Annotated[int, between(0, 1_000_000_000)] = 60
    """Logins from one address, failed or not."""


class EdgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for every request."""

    cors_origins: tuple[Origin, ...] = ()
    """Origins whose pages may call us; empty: all where `APP_ENV=local`, none elsewhere."""
    body_bytes_max: Bytes = 262_144
    """The largest body that is read; more than 262,144 bytes only where it is a list of entries."""
    journal_body_bytes_max: Bytes = 8_388_608
    """The largest body that posts or proposes journal entries, of which one request may have 10,000."""
    import_part_bytes_max: Bytes = 8_388_608
    """The largest part of a file that is imported; HTTP_BODY_BYTES_MAX bounds it too."""
    http_timeout_seconds: Short = 30.0
    """How long a request may take before it is answered 503, and a streamed answer between two of its parts; longer than
    `confirm_timeout_seconds`."""
    request_log_per_second: Annotated[int, between(0, 10_000)] = 20
    """Requests of one tenant that a process notes in the log of requests in a second at most, so that a busy tenant fills no
    disk; 0: none is noted."""
    request_log_retention_days: Annotated[int, between(1, 365)] = 7
    """How long requests are kept in the log of requests, in whole days."""


LOCAL_CONSOLE_KEY = base64.b64encode(b"local development: sessions, ok!").decode()
"""Seals the console's sessions on a developer's machine."""


class ConsoleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The console at `/console`."""

    console_key: str = ""
    """Seals the sessions of the console: 32 random bytes in base64, the same in every process. Empty: a fixed one where
    `APP_ENV=local`, and no console elsewhere."""
    console_keys_previous: tuple[str, ...] = ()
    """Still open sessions, no longer seal them: set while rotating."""
    identity_provider_allowed_networks: tuple[Network, ...] = ()
    """Networks that requests to tenants' identity providers may reach although they are private (CIDR)."""


class ChaosSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Failures on purpose where a tenant has not chosen its own; heeded only where `APP_ENV=local`."""

    chaos_enabled: bool = False
    """Whether anything is disturbed."""
    chaos_fail_percent: Annotated[int, between(0, 100)] = 0
    """How many of 100 requests are answered 503."""
    chaos_latency_ms: Annotated[int, between(0, 30_000)] = 0
    """How long each request is held back first, in milliseconds."""


class SeedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Passwords of the seeded users; outside local each must be set to be seeded."""

    seed_admin_password: str = "admin123"  # noqa: S105 - a development default, refused outside local
    """Password of the global admin `admin@local`."""
    seed_ops_password: str = "ops123"  # noqa: S105
    """Password of the users with the role `ops`."""
    seed_sales_password: str = "sales123"  # noqa: S105
    """Password of the users with the role `sales`."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that differs by place."""

    place: PlaceSettings = PlaceSettings()
    """Which place this is."""
    http: HttpSettings = HttpSettings()
    """Where requests arrive."""
    database: DatabaseSettings = DatabaseSettings()
    """Where everything is kept."""
    broker: BrokerSettings = BrokerSettings()
    """How messages are published and consumed."""
    tracing: TracingSettings = TracingSettings()
    """Where spans of traces go."""
    partners: PartnerSettings = PartnerSettings()
    """Where other teams meet it."""
    auth: AuthSettings = AuthSettings()
    """Whose tokens are accepted."""
    tenants: TenantSyncSettings = TenantSyncSettings()
    """Tenants as the suite publishes them."""
    orders: OrderSettings = OrderSettings()
    """Orders that are to be charged."""
    payments: PaymentSettings = PaymentSettings()
    """How payment intents are taken."""
    sweep: SweepSettings = SweepSettings()
    """How payments are looked after whose next step does not come."""
    retention: RetentionSettings = RetentionSettings()
    """How long history is kept."""
    proof: ProofSettings = ProofSettings()
    """How it is proved that the records of who may do what are as they were written."""
    redis: RedisSettings = RedisSettings()
    """Where requests are counted."""
    rates: RateSettings = RateSettings()
    """How many requests a caller may make."""
    edge: EdgeSettings = EdgeSettings()
    """What holds for every request."""
    chaos: ChaosSettings = ChaosSettings()
    """Failures on purpose."""
    console: ConsoleSettings = ConsoleSettings()
    """The console."""
    seeds: SeedSettings = SeedSettings()
    """Passwords of the seeded users."""

    @property
    def console_key(self) -> str:
        """The key in use; empty: there is no console."""
        return self.console.console_key or (LOCAL_CONSOLE_KEY if self.place.is_local else "")


def check_settings(settings: Settings) -> list[str]:
    """Find settings that contradict each other or are unsafe in this place; one sentence each."""
    faults: list[str] = []
    auth, payments = settings.auth, settings.payments
    if not settings.place.is_local and auth.jwt_hs256 and auth.jwt_secret == DEVELOPMENT_SECRET:
        faults.append("JWT_SECRET must be set outside APP_ENV=local; make one with `openssl rand -hex 32`")
    if not settings.place.is_local and LOCAL_CONSOLE_KEY in {
        settings.console.console_key,
        *settings.console.console_keys_previous,
    }:
        faults.append("CONSOLE_KEY stands in the sources of this platform; make one with `openssl rand -base64 32`")
    if settings.orders.orders_queue == settings.tenants.saas_queue:
        faults.append("ORDERS_QUEUE and SAAS_QUEUE must differ")
    if not payments.confirm_waiting_max < settings.http.http_in_flight_max:
        faults.append("CONFIRM_WAITING_MAX must be below HTTP_IN_FLIGHT_MAX")
    faults += [
        f"{name.upper()} must be 0 (for ever) or at least {RETENTION_DAYS_MIN}"
        for name in RetentionSettings.__struct_fields__
        if 0 != getattr(settings.retention, name) < RETENTION_DAYS_MIN
    ]
    if not settings.edge.http_timeout_seconds > payments.confirm_timeout_seconds:
        faults.append("HTTP_TIMEOUT_SECONDS must be above CONFIRM_TIMEOUT_SECONDS")
    if settings.sweep.stuck_pause_max_seconds < settings.sweep.stuck_after_seconds:
        faults.append("STUCK_PAUSE_MAX_SECONDS must be at least STUCK_AFTER_SECONDS")
    if settings.edge.journal_body_bytes_max < settings.edge.body_bytes_max:
        faults.append("JOURNAL_BODY_BYTES_MAX must be at least BODY_BYTES_MAX")
    if settings.http.http_body_bytes_max < settings.edge.journal_body_bytes_max:
        faults.append("HTTP_BODY_BYTES_MAX must be at least JOURNAL_BODY_BYTES_MAX")
    faults += [
        f"{name} must be 32 random bytes in base64, for example from `openssl rand -base64 32`"
        for name, keys in (
            ("CONSOLE_KEY", [settings.console_key] if settings.console_key else []),
            ("CONSOLE_KEYS_PREVIOUS", settings.console.console_keys_previous),
        )
        if not all(map(_is_key, keys))
    ]
    if auth.jwks_uri and not auth.jwks_uri.startswith("https://") and not settings.place.is_local:
        faults.append("JWKS_URI must be an https address outside APP_ENV=local")
    return faults


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == _KEY_BYTES
    except ValueError:
        return False
