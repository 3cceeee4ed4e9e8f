"""The modules in which an error costs money or messages, by group, and the tests that may notice it."""

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
EQUIVALENT = ROOT / "tests" / "mutation-survivors.txt"
UNIT, INTEGRATION = "tests/unit", "tests/integration"


class Group(NamedTuple):
    """Modules that the same tests run: files or folders, those of the tests in the process of the tests alone."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


def _messaging(*names: str) -> tuple[str, ...]:
    return tuple(f"libs/common/messaging/{name}.py" for name in names)


GROUPS: dict[str, Group] = {
    "money": Group(
        ("libs/common/money.py", "services/gateway/processors/stripe/amounts.py"),
        (f"{UNIT}/common/test_money.py", f"{UNIT}/gateway/processors/test_stripe.py"),
    ),
    "outages": Group(("libs/common/outages.py",), (f"{UNIT}/common/test_outages.py",)),
    "lifecycle": Group(
        ("services/api/payments/domain",),
        tuple(f"{UNIT}/api/payments/test_{name}.py" for name in ("domain", "lifecycle_changes", "lifecycle_table")),
    ),
    "requests": Group(
        (
            "services/api/idempotency/commands.py",
            "services/api/idempotency/requests.py",
            "services/api/payments/commands/outcomes.py",
        ),
        (
            f"{UNIT}/api/idempotency/test_idempotency.py",
            f"{INTEGRATION}/api/payments/test_payment_intents.py",
            f"{INTEGRATION}/api/payments/test_operations.py",
            f"{INTEGRATION}/api/idempotency/test_keys.py",
            f"{INTEGRATION}/api/payments/test_crashes.py",
        ),
    ),
    "ledger": Group(
        (
            "services/ledger/core",
            "services/ledger/posting_rules/domain",
            "services/ledger/posting/domain/decision.py",
            "services/ledger/posting/service.py",
            "services/ledger/posting/optimistic.py",
            "services/ledger/posting/locked.py",
        ),
        (
            f"{UNIT}/ledger",
            f"{INTEGRATION}/ledger/accounts/test_limits.py",
            f"{INTEGRATION}/ledger/entries/test_reversals.py",
            f"{INTEGRATION}/ledger/exchange/test_money.py",
            f"{INTEGRATION}/ledger/holds/test_holds.py",
            f"{INTEGRATION}/ledger/manual_entries/test_manual_entries.py",
            f"{INTEGRATION}/ledger/manual_entries/test_proposals.py",
            f"{INTEGRATION}/ledger/periods/test_periods.py",
            f"{INTEGRATION}/ledger/posting/test_groups.py",
            f"{INTEGRATION}/ledger/posting/test_optimistic.py",
            f"{INTEGRATION}/ledger/posting/test_single_entries.py",
            f"{INTEGRATION}/ledger/posting_rules/test_events.py",
        ),
    ),
    "gateway": Group(
        (
            "services/gateway/operations/commands/attempts.py",
            "services/gateway/operations/commands/outcomes.py",
            "services/gateway/operations/domain",
            "services/gateway/processors/port/notices.py",
            "services/gateway/resilience",
            "services/gateway/processors/stripe/events.py",
            "services/gateway/processors/stripe/failures.py",
            "services/gateway/processors/stripe/signatures.py",
        ),
        (
            f"{UNIT}/gateway",
            f"{INTEGRATION}/gateway/operations/test_commands.py",
            f"{INTEGRATION}/gateway/operations/test_unknown_outcomes.py",
            f"{INTEGRATION}/gateway/operations/test_waiting_commands.py",
            f"{INTEGRATION}/gateway/operations/test_lifecycle.py",
            f"{INTEGRATION}/gateway/notices/test_notices.py",
            f"{INTEGRATION}/gateway/notices/test_events.py",
            f"{INTEGRATION}/gateway/notices/test_tenants_apart.py",
        ),
    ),
    "notifier": Group(
        (
            "services/notifier/deliveries/domain",
            "services/notifier/endpoints/domain.py",
            "libs/common/egress.py",
            "services/notifier/sending/secrets.py",
            "services/notifier/sending/signing.py",
        ),
        (
            f"{UNIT}/notifier",
            f"{INTEGRATION}/notifier/deliveries/test_delivering.py",
            f"{INTEGRATION}/notifier/deliveries/test_healing.py",
            f"{INTEGRATION}/notifier/endpoints/test_keys.py",
            f"{INTEGRATION}/notifier/replays/test_replays.py",
            f"{INTEGRATION}/notifier/deliveries/test_scheduling.py",
        ),
    ),
    "consuming": Group(
        _messaging(
            "consumer",
            "delivery",
            "envelope",
            "inbox",
            "intake",
            "letters",
            "redelivery",
            "redrive",
            "settling",
            "shares",
        ),
        (
            f"{UNIT}/common/test_consuming.py",
            f"{UNIT}/common/test_contracts.py",
            f"{UNIT}/common/test_redelivery.py",
            f"{INTEGRATION}/messaging/test_hostile.py",
            f"{INTEGRATION}/messaging/test_inbox.py",
            f"{INTEGRATION}/messaging/test_intake.py",
            f"{INTEGRATION}/messaging/test_letters.py",
            f"{INTEGRATION}/messaging/test_path.py",
            f"{INTEGRATION}/messaging/test_postponed.py",
            f"{INTEGRATION}/messaging/test_redrive.py",
            f"{INTEGRATION}/messaging/test_shares.py",
        ),
    ),
    "publishing": Group(
        _messaging("outbox", "publisher", "relay", "resend", "shipments", "watermark"),
        (
            f"{UNIT}/common/test_publishing.py",
            f"{INTEGRATION}/messaging/test_path.py",
            f"{INTEGRATION}/messaging/test_publish_all.py",
            f"{INTEGRATION}/messaging/test_relay.py",
            f"{INTEGRATION}/messaging/test_resend.py",
        ),
    ),
}


def modules(group: Group) -> list[str]:
    """Return the files of a group, a folder standing for those in it."""
    files = [
        file
        for path in group.modules
        for file in (sorted((ROOT / path).glob("*.py")) if (ROOT / path).is_dir() else [ROOT / path])
    ]
    return [str(file.relative_to(ROOT)) for file in files if file.name != "__init__.py"]


def equivalents() -> set[str]:
    """Read the names of changes that mean nothing; each stands below the comment with its reason."""
    lines = EQUIVALENT.read_text().splitlines() if EQUIVALENT.exists() else []
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}
