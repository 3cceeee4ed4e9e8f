"""What differs by place for the gateway. The names that operators of such systems already use are kept as they are."""

import base64
import binascii
from itertools import pairwise
from typing import Annotated, Literal

import msgspec

from libs.common.setting_values import Bytes, Count, Port, Short, WebAddress, between
from libs.common.settings import BrokerSettings, DatabaseSettings, HttpSettings, PlaceSettings, TracingSettings

PROVIDERS = {"sandbox": "sandbox", "fake": "sandbox", "stripe": "stripe"}
"""The processors that can be named in the settings; `fake` is an older word for the sandbox."""

LOCAL_ENCRYPTION_KEY = base64.b64encode(b"local development, not a secret!").decode()
"""The master key that local development uses when none is set; refused everywhere else."""
_KEY_BYTES = 32
_LEASE_SECONDS_MIN = 3.0
"""The shortest lease: it is renewed every third of it, and an event loop may stall for a second."""
_LOOK_UP_AFTER_SECONDS_MIN = 300
"""The shortest time from the last call that a key allows to a look-up that decides: the call itself, and indexes that lag."""
RETENTION_DAYS_MIN = 180
"""The shortest time for which attempts are kept; the database itself forgets none that is younger."""

Age = Annotated[int, between(1, 315_360_000)]
"""Seconds since something began, ten years at most."""


class GatewayHttpSettings(HttpSettings, frozen=True, kw_only=True):
    """Where the gateway answers questions about its health."""

    http_port: Port = 8002
    """Port to listen on."""


class ProcessorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How processors are called. An ask is one call; asks are repeated, with the same key, within one deadline."""

    provider: Literal["sandbox", "fake", "stripe"] = "sandbox"
    """Which processor serves a tenant that has none of its own (`GATEWAY_PROVIDER`): `sandbox`, or `fake`, which is the
    same, or `stripe`, the platform's own account."""
    processor_timeout_seconds: Short = 5.0
    """How long one ask may take. Well above the 1 to 3 s of a slow card authorization, far below the 80 s that Stripe's
    SDK waits: asking again with the same key is safe, so there is little to gain from waiting."""
    processor_deadline_seconds: Short = 12.0
    """How long all asks of one command may take together; enough for two that time out and their pauses."""
    max_retries: Annotated[int, between(0, 100)] = 3
    """Asks after the first one within the deadline (`GATEWAY_MAX_RETRIES`)."""
    retry_base_delay: Short = 0.2
    """Seconds; the first pause is a random part of it, and it doubles each time (`GATEWAY_RETRY_BASE_DELAY`). Full
    jitter, after M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015."""
    retry_max_delay: Short = 2.0
    """Seconds; no pause is longer, unless the processor asks for it (`GATEWAY_RETRY_MAX_DELAY`)."""
    circuit_breaker_failure_threshold: Count = 10
    """Failures in a row that open a processor's circuit. More than twice the asks of one command, so that it takes
    several payments, not one unlucky one."""
    circuit_breaker_recovery_timeout: Short = 30.0
    """Seconds that the circuit stays open before a single call is let through as a probe. The value that operators of
    this family of systems use."""
    processor_concurrency_max: Count = 128
    """Calls that one processor may have in flight from this process. 150 payments/s are 300 calls/s; at 300 ms each that is
    90 calls at a time (Little's law), and room for half as many again."""
    processor_wait_seconds: Short = 10.0
    """How long a command waits in line for one of these places before it waits in the attempts table instead."""
    processor_waiting_max: Count = 512
    """Commands that may wait in line at one processor; the next ones wait in the attempts table. One that hangs thus holds
    up at most its places and these, and leaves the rest of `CONSUMER_CONCURRENCY` to the others. One account leaves an
    eighth of places and line to the others."""
    consumer_concurrency: Count = 1024
    """Commands of one kind that this process carries out at a time, waiting ones included, and messages of such a queue that
    it takes before they are acknowledged: more than one slow processor can take."""


class ResolutionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How lost outcomes are found out."""

    unknown_schedule_seconds: tuple[Age, ...] = (5, 30, 120, 600, 1_800, 7_200, 21_600, 43_200, 79_200)
    """At which ages an unknown outcome is read again; after the last one a person is alerted. It ends two hours
    before the key may be forgotten."""
    idempotency_key_lifetime_seconds: Annotated[int, between(60, 31_536_000)] = 86_400
    """How long the processor surely remembers a key: Stripe removes keys "after they're at least 24 hours old" (API
    reference, "Idempotent requests"). Asking later with the same key could charge twice, so it is not done."""
    reading_schedule_seconds: tuple[Age, ...] = (
        *(5, 60, 600, 3_600, 21_600),
        *(86_400, 172_800, 345_600, 604_800, 1_209_600, 2_592_000),
    )
    """At which ages an operation that the processor has taken on, a pending refund or an action of the customer, is
    read again; its notice is usually quicker. A refund takes 5 to 10 business days, some up to 30 days (Stripe's
    documentation, "Refund destinations"); after the last one a person is alerted."""
    look_up_schedule_seconds: tuple[Age, ...] = (900, 3_600, 21_600, 86_400, 259_200)
    """How long after a key's lifetime the processor's records are read about an outcome that is still unknown; once they
    have been read, what does not stand there was never done. After the last one a person is alerted."""
    authorization_wait_seconds: Annotated[float, between(1, 86_400)] = 300.0
    """How long an authorization waits for an account whose key the processor refuses, or for an earlier one of its payment to be
    cancelled, before it is declined: nothing was requested, and a customer waits some minutes at most. Captures, voids and refunds wait until the key is accepted."""
    attempt_lease_seconds: Annotated[float, between(_LEASE_SECONDS_MIN, 3_600)] = 6.0
    """How long an attempt belongs to whoever asks, who renews it three times as often. So much later after a crash the
    resolver takes over, of this process or of another, unless the command is redelivered first."""
    not_taken_pause_seconds: Short = 5.0
    """How soon to ask again when the processor did not even take the request."""
    resolve_every_seconds: Short = 1.0
    """How often the resolver looks for attempts that are due."""
    resolve_batch_max: Count = 100
    """Attempts that the resolver takes at a time."""
    expire_every_seconds: Short = 5.0
    """How often holds are looked for whose time is over."""
    attempt_retention_days: Annotated[int, between(RETENTION_DAYS_MIN, 36_500)] = 730
    """How long attempts are kept after a payment's last one was decided; at least 180 days, in which a bank or a customer
    may still dispute it. Two years outlast a refund's and a dispute's limits (Visa and Mastercard: up to 540 days)."""
    parked_after_retries: Annotated[int, between(0, 100)] = 4
    """How often a command is redelivered while the circuit is open before it waits in the attempts table instead, where
    it waits without an end: after 1 s, 5 s, 30 s and 5 min."""


class SandboxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the sandbox behaves."""

    sandbox_latency_seconds: Annotated[float, between(0, 3_600)] = 0.0
    """How long every answer takes; 0.3 is about what a card authorization takes."""
    sandbox_slow_seconds: Annotated[float, between(0, 3_600)] = 2.0
    """How much longer the slow amounts take."""
    sandbox_later_seconds: Annotated[float, between(0, 86_400)] = 2.0
    """How long afterwards happens what happens by itself: a pending refund arrives, a dispute is opened, a hold ends."""


class StripeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How Stripe is reached, and the platform's own account at it; tenants bring accounts of their own by the api."""

    stripe_api_base: WebAddress = "https://api.stripe.com"
    """Where Stripe's API is; the stand-in for tests and demonstrations prints its own."""
    stripe_secret_key: str = ""
    """The platform's own key. Required where `GATEWAY_PROVIDER` is `stripe`."""
    stripe_payment_method: str = ""
    """What is charged through the platform's account where a payment names nothing: `pm_card_visa`. In test mode only."""
    stripe_return_url: WebAddress = ""
    """Where customers come back to after proving who they are."""
    stripe_calls_per_second_live: Annotated[float, between(0.1, 100_000)] = 100.0
    """Calls a second to one account in live mode: Stripe's own limit (https://docs.stripe.com/rate-limits). Another one
    is by agreement with Stripe."""
    stripe_calls_per_second_test: Annotated[float, between(0.1, 100_000)] = 25.0
    """The same in test mode."""
    stripe_calls_per_second_endpoint: Annotated[float, between(0.1, 100_000)] = 25.0
    """And to one endpoint of it, in either mode: what an operation may make of them (Stripe's own default, the same page)."""
    stripe_calls_shared_by: Count = 1
    """How many gateways call the same accounts. They share no counts, so each makes only its part of the calls."""
    stripe_webhook_secrets: tuple[str, ...] = ()
    """What the platform's webhooks are signed with, the one before it included while it is rolled."""
    stripe_connect_webhook_secrets: tuple[str, ...] = ()
    """What the events of connected accounts are signed with, at the platform's endpoint for them."""
    stripe_webhook_tolerance_seconds: Annotated[int, between(1, 86_400)] = 300
    """How old a signature may be: Stripe's own default (its libraries, `DEFAULT_TOLERANCE`)."""
    stripe_webhook_bytes_max: Bytes = 262_144
    """How large a webhook may be. Stripe's events are 2 to 20 KB; an expanded invoice of 250 lines has about 200."""
    stripe_events_every_seconds: Short = 0.5
    """How often waiting events are looked for."""
    stripe_events_batch_max: Count = 200
    """Events that one claim takes."""
    stripe_event_retention_days: Annotated[int, between(1, 36_500)] = 90
    """How long events are kept after they were handled; those that fit nothing are kept for good."""
    stripe_statement_every_seconds: Annotated[float, between(0.05, 86_400)] = 60.0
    """How often an account's statement, payouts and undelivered events are read; webhooks bring most of it sooner."""
    gateway_config_cache_seconds: Short = 10.0
    """How long a process goes by the configurations that it has read: a changed key works everywhere after this and a tenth
    of it, or twice this where nobody used it meanwhile, or it cannot be read."""
    encryption_key: str = ""
    """The master key that processors' keys are sealed with: 32 random bytes in base64. Required outside local development."""
    encryption_keys_previous: tuple[str, ...] = ()
    """Earlier master keys, in base64: what they sealed stays readable while they rotate."""


class ImportSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How files of processors and banks are imported."""

    import_bytes_max: Bytes = 536_870_912
    """How large a file may be, as it is sent and unpacked; memory does not grow with it."""
    import_open_max: Annotated[int, between(1, 1_000)] = 10
    """Imports of one tenant that are not over at a time."""
    import_deadline_seconds: Annotated[float, between(1, 86_400)] = 3_600.0
    """How long a file is read at most."""
    import_abandon_hours: Annotated[int, between(1, 720)] = 24
    """How long an import waits for the parts of its file."""
    statement_line_retention_days: Annotated[int, between(90, 36_500)] = 3_650
    """How long lines of statements and their imports are kept: ten years, as most laws want the records of merchants."""


class ReconciliationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the processor's statement is compared with payments and books."""

    reconciliation_every_minutes: Annotated[int, between(0, 10_080)] = 60
    """How often each tenant's payments are compared; 0: only on request."""
    reconciliation_window_hours: Annotated[int, between(1, 2_400)] = 48
    """How far back. What moved for an older payment, or is unsettled, is compared as well."""
    reconciliation_deep_days: Annotated[int, between(1, 400)] = 45
    """How far back once a day: what nobody reported since."""
    reconciliation_quiet_seconds: Annotated[int, between(0, 86_400)] = 900
    """For so long after something has happened nothing is reported: messages are in transit, a statement is read every minute."""
    reconciliation_timing_hours: Annotated[float, between(0, 2_400)] = 6.0
    """For so long it is a matter of time (`TIMING`); then it is named by what it is."""
    reconciliation_overdue_days: Annotated[int, between(0, 400)] = 3
    """A month is closed only with a reason where a discrepancy of it has been known for longer and is not settled."""
    reconciliation_arrival_days: Annotated[int, between(0, 60)] = 3
    """So many days after the day of its arrival a payout may appear on a bank's statement before it is missing there."""
    reconciliation_retention_days: Annotated[int, between(90, 36_500)] = 3_650
    """How long runs with their reports, matches and settled discrepancies with their history are kept; closed months for good."""
    carried_balance_retention_days: Annotated[int, between(90, 36_500)] = 400
    """How long it is kept what each account had at the beginning of a day: a report about an older window adds up from an earlier day."""
    reconciliation_repair: bool = False
    """Whether what is safe is done about a discrepancy by itself: publishing again what was not booked, reading again what was missed."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the gateway reads from its environment."""

    place: PlaceSettings = PlaceSettings()
    """Which place this is."""
    database: DatabaseSettings = DatabaseSettings()
    """Where it remembers."""
    broker: BrokerSettings = BrokerSettings()
    """How it receives and publishes."""
    tracing: TracingSettings = TracingSettings()
    """Where spans of traces go."""
    http: GatewayHttpSettings = GatewayHttpSettings()
    """Where it answers questions about its health."""
    processor: ProcessorSettings = ProcessorSettings()
    """How processors are called."""
    resolution: ResolutionSettings = ResolutionSettings()
    """How lost outcomes are found out."""
    sandbox: SandboxSettings = SandboxSettings()
    """How the sandbox behaves."""
    stripe: StripeSettings = StripeSettings()
    """How Stripe is reached."""
    imports: ImportSettings = ImportSettings()
    """How files are imported."""
    reconciliation: ReconciliationSettings = ReconciliationSettings()
    """How its statement is compared."""

    @property
    def sealing_key(self) -> str:
        """The master key in use: the configured one, or in local development a fixed one."""
        if not self.stripe.encryption_key and self.place.is_local:
            return LOCAL_ENCRYPTION_KEY
        return self.stripe.encryption_key


def check_settings(settings: Settings) -> list[str]:
    """Name what does not make sense, one sentence each."""
    processor, resolution = settings.processor, settings.resolution
    faults: list[str] = []
    faults += _stripe_faults(settings)
    if processor.consumer_concurrency <= processor.processor_concurrency_max + processor.processor_waiting_max:
        faults.append(
            "CONSUMER_CONCURRENCY must exceed PROCESSOR_CONCURRENCY_MAX and PROCESSOR_WAITING_MAX together, or one slow "
            "processor holds up the others"
        )
    if processor.processor_deadline_seconds < processor.processor_timeout_seconds:
        faults.append("PROCESSOR_DEADLINE_SECONDS must not be less than PROCESSOR_TIMEOUT_SECONDS")
    ages = resolution.unknown_schedule_seconds
    if not _rises(ages):
        faults.append("UNKNOWN_SCHEDULE_SECONDS must be rising numbers above zero")
    elif ages[-1] + processor.processor_deadline_seconds >= resolution.idempotency_key_lifetime_seconds:
        faults.append(
            "UNKNOWN_SCHEDULE_SECONDS must end before IDEMPOTENCY_KEY_LIFETIME_SECONDS, or a forgotten key charges twice"
        )
    if not _rises(resolution.look_up_schedule_seconds):
        faults.append("LOOK_UP_SCHEDULE_SECONDS must be rising numbers above zero")
    elif resolution.look_up_schedule_seconds[0] < _LOOK_UP_AFTER_SECONDS_MIN:
        faults.append(
            f"LOOK_UP_SCHEDULE_SECONDS must begin at {_LOOK_UP_AFTER_SECONDS_MIN} or more, since the last call may still arrive"
        )
    reconciliation = settings.reconciliation
    if reconciliation.reconciliation_quiet_seconds > reconciliation.reconciliation_timing_hours * 3_600:
        faults.append("RECONCILIATION_TIMING_HOURS must not be less than RECONCILIATION_QUIET_SECONDS")
    if not _rises(resolution.reading_schedule_seconds):
        faults.append("READING_SCHEDULE_SECONDS must be rising numbers above zero")
    return faults


def _rises(ages: tuple[int, ...]) -> bool:
    return bool(ages) and min(ages) > 0 and all(earlier < later for earlier, later in pairwise(ages))


def _stripe_faults(settings: Settings) -> list[str]:
    stripe, faults = settings.stripe, []
    if PROVIDERS.get(settings.processor.provider) == "stripe" and not stripe.stripe_secret_key:
        faults.append("STRIPE_SECRET_KEY must be set where GATEWAY_PROVIDER is stripe")
    if stripe.stripe_payment_method and _is_live(stripe.stripe_secret_key):
        faults.append(
            "STRIPE_PAYMENT_METHOD must be empty with a live STRIPE_SECRET_KEY: each payment names its own payment method"
        )
    if not settings.sealing_key:
        faults.append(
            "ENCRYPTION_KEY (or GATEWAY_ENCRYPTION_KEY) must be set outside APP_ENV=local: 32 random bytes in base64, for "
            "example from `openssl rand -base64 32`"
        )
    for name, key in [
        ("ENCRYPTION_KEY", settings.sealing_key),
        *(("ENCRYPTION_KEYS_PREVIOUS", key) for key in stripe.encryption_keys_previous),
    ]:
        if key and not _is_key(key):
            faults.append(f"{name} must be 32 bytes in base64, for example from `openssl rand -base64 32`")
    if not settings.place.is_local and not stripe.stripe_api_base.startswith("https://"):
        faults.append("STRIPE_API_BASE must be an https address outside APP_ENV=local")
    return faults


def _is_live(secret_key: str) -> bool:
    return secret_key.partition("_")[2].startswith("live_")


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False
