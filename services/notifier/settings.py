"""What differs by place for the notifier."""

import base64
import binascii
from datetime import timedelta
from typing import Annotated

import msgspec

from libs.common.setting_values import Count, Long, Network, Port, Short, between
from libs.common.settings import (
    BrokerSettings,
    DatabaseSettings,
    HttpSettings,
    PartnerSettings,
    PlaceSettings,
    TracingSettings,
)

_KEY_BYTES = 32
_SCHEDULE_STEPS_MIN = 3
_RETENTION_DAYS_MIN = 30
_SCHEDULE_STEPS_MAX = 50
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

LOCAL_ENCRYPTION_KEY = base64.b64encode(b"local development, not a secret!").decode()
"""The key that local development uses when none is set; refused everywhere else."""


class NotifierHttpSettings(HttpSettings, frozen=True, kw_only=True):
    """Where the notifier reports its health."""

    http_port: Port = 8003
    """Port to listen on."""


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How webhooks are sent."""

    webhook_retry_schedule: tuple[str, ...] = ("0s", "5s", "1m", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "24h")
    """Pause before each attempt, the first included, as a number and s, m, h or d; at least three. The default spans
    76 hours, as Standard Webhooks recommends, with one more step in the first half hour."""
    webhook_retry_jitter: Annotated[float, between(0, 0.99)] = 0.2
    """Each pause is stretched or shortened by up to this share, so that retries of one outage do not return as one."""
    webhook_retry_after_max_seconds: Annotated[float, between(0, 2_592_000)] = 21_600.0
    """The longest `Retry-After` of an endpoint that is honoured: six hours."""
    webhook_timeout_seconds: Short = 15.0
    """Deadline of one attempt, from the name's resolution to the last byte read (Standard Webhooks: 15 to 30 s)."""
    webhook_connect_timeout_seconds: Short = 5.0
    """Deadline of the connection within an attempt."""
    webhook_response_bytes_max: Annotated[int, between(1, 1_073_741_824)] = 16_384
    """Bytes of an answer that are read at most; the connection is closed on more."""
    webhook_in_flight_max: Count = 1_000
    """Attempts in progress at once in this process."""
    webhook_endpoint_in_flight_max: Count = 32
    """Attempts in progress at once towards one endpoint; reached step by step while the endpoint answers."""
    webhook_tenant_in_flight_max: Count = 250
    """Attempts in progress at once towards all endpoints of one tenant, so that none has all of a process to itself."""
    webhook_claim_max: Count = 250
    """Deliveries that one claim takes at most."""
    webhook_lease_seconds: Short = 60.0
    """How long a claimed delivery belongs to its worker; after that another one may take it."""
    webhook_poll_seconds: Short = 0.5
    """How often the worker looks on its own, the net under the in-process wake-up; also how exact retries are."""
    webhook_drain_seconds: Annotated[float, between(0, 3_600)] = 10.0
    """How long attempts in progress may take to finish when the process stops; the rest is handed back."""
    webhook_breaker_failures: Count = 10
    """Failures in a row after which an endpoint rests: nothing that waits for it spends an attempt meanwhile."""
    webhook_breaker_pause_seconds: Long = 30.0
    """How long it rests at first; each failure after that doubles it."""
    webhook_breaker_pause_max_seconds: Long = 900.0
    """How long it rests at most: a receiver that is repaired is tried again within a quarter of an hour."""
    webhook_disable_after_seconds: Long = 432_000.0
    """An endpoint that failed so long without one success is switched off: five days, longer than the retry schedule.
    Its tenant is warned at half and at four fifths of it."""
    webhook_disable_failures_min: Count = 20
    """How many attempts must have failed in that time, so that a quiet endpoint is not switched off for one event."""
    webhook_ordering_wait_seconds: Annotated[float, between(0, 3_600)] = 1.0
    """How long an event for an endpoint that wants order waits for an earlier one of its payment that has not arrived yet."""
    webhook_retention_days: Annotated[int, between(_RETENTION_DAYS_MIN, 36_500)] = 90
    """How long messages, deliveries and attempts are kept, in whole months; thirty days at least."""
    webhook_endpoints_max: Count = 100
    """Endpoints that one tenant may have."""
    webhook_allowed_ports: tuple[Port, ...] = (443, 8443)
    """Ports that an endpoint's url may name outside local development."""
    webhook_allowed_networks: tuple[Network, ...] = ()
    """Networks that webhooks may reach although they are private (CIDR); for receivers inside one's own network."""
    webhook_denied_networks: tuple[Network, ...] = ()
    """Networks that webhooks may never reach (CIDR), beside those that are never public; wins over the allowed ones."""
    encryption_key: str = ""
    """The key that signing secrets are sealed with: 32 random bytes in base64. Required outside local development."""
    encryption_keys_previous: tuple[str, ...] = ()
    """Earlier keys, in base64: secrets sealed with them stay readable while keys rotate."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the notifier reads from its environment."""

    place: PlaceSettings = PlaceSettings()
    """Which place this is."""
    database: DatabaseSettings = DatabaseSettings()
    """Where it remembers."""
    broker: BrokerSettings = BrokerSettings()
    """How it receives messages."""
    tracing: TracingSettings = TracingSettings()
    """Where spans of traces go."""
    partners: PartnerSettings = PartnerSettings()
    """Where other teams meet it."""
    http: NotifierHttpSettings = NotifierHttpSettings()
    """Where it is reached."""
    webhooks: WebhookSettings = WebhookSettings()
    """How webhooks are sent."""

    @property
    def sealing_key(self) -> str:
        """The key in use: the configured one, or in local development a fixed one."""
        if not self.webhooks.encryption_key and self.place.is_local:
            return LOCAL_ENCRYPTION_KEY
        return self.webhooks.encryption_key


def check_settings(settings: Settings) -> list[str]:
    """Name what does not make sense, one sentence each."""
    webhooks = settings.webhooks
    faults: list[str] = []
    if not settings.sealing_key:
        faults.append(
            "ENCRYPTION_KEY (or NOTIFIER_ENCRYPTION_KEY) must be set outside APP_ENV=local: 32 random bytes in base64, "
            "for example from `openssl rand -base64 32`"
        )
    for name, key in [
        ("ENCRYPTION_KEY", settings.sealing_key),
        *(("ENCRYPTION_KEYS_PREVIOUS", key) for key in webhooks.encryption_keys_previous),
    ]:
        if key and not _is_key(key):
            faults.append(f"{name} must be 32 bytes in base64, for example from `openssl rand -base64 32`")
    try:
        parse_schedule(webhooks.webhook_retry_schedule)
    except ValueError as fault:
        faults.append(f"WEBHOOK_RETRY_SCHEDULE {fault}")
    if webhooks.webhook_lease_seconds < 2 * webhooks.webhook_timeout_seconds:
        faults.append("WEBHOOK_LEASE_SECONDS must be at least twice WEBHOOK_TIMEOUT_SECONDS, or deliveries repeat")
    return faults


def parse_schedule(steps: tuple[str, ...]) -> tuple[timedelta, ...]:
    """Read the retry schedule: `("0s", "5s", "1m")` are three attempts.

    Raises:
        ValueError: names what cannot be read, or that there are too few or too many steps.
    """
    pauses = []
    for step in steps:
        number, unit = step[:-1], step[-1:]
        if not (number.isascii() and number.isdigit()) or unit not in _UNITS:
            raise ValueError(f"has {step!r}; write a whole number and s, m, h or d")
        pauses.append(timedelta(seconds=int(number) * _UNITS[unit]))
    if not _SCHEDULE_STEPS_MIN <= len(pauses) <= _SCHEDULE_STEPS_MAX:
        raise ValueError(f"must have {_SCHEDULE_STEPS_MIN} to {_SCHEDULE_STEPS_MAX} steps, has {len(pauses)}")
    return tuple(pauses)


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False
