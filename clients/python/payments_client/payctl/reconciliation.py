"""`payctl reconciliation`."""

import time

import click

from payments_client import Client, models
from payments_client.payctl.commands import again, command, first, given, limited
from payments_client.payctl.output import progress

_POLL_SECONDS = 0.5


@click.group()
def reconciliation() -> None:
    """Compare what processors and banks say with the books."""


@command(reconciliation, "run", example="payctl reconciliation run 2026-01-01T00:00:00Z 2026-01-02T00:00:00Z")
@click.argument("from_", metavar="FROM")
@click.argument("until")
@click.option("--dry-run", is_flag=True, help="Compare, and keep nothing.")
@again
def run(client: Client, *, from_: str, until: str, dry_run: bool, idempotency_key: str | None) -> object:
    """Compare what happened FROM an instant UNTIL another one."""
    body = models.StartRun(from_=from_, until=until, **given(dry_run=dry_run or None))
    return client.start_reconciliation(body, idempotency_key=idempotency_key)


@command(
    reconciliation,
    "runs",
    example="payctl reconciliation runs --limit 5",
    columns=("id", "state", "from_", "until", "payments", "matched", "new", "started_at"),
)
@limited
def runs(client: Client, *, limit: int) -> object:
    """List runs, newest first."""
    return first(client.iterate_reconciliation_runs(), limit)


@command(reconciliation, "show", example="payctl reconciliation show $RUN")
@click.argument("run_id", metavar="RUN")
def show(client: Client, *, run_id: str) -> object:
    """Show a run."""
    return client.get_reconciliation_run(run_id)


@command(reconciliation, "watch", example="payctl reconciliation watch $RUN")
@click.argument("run_id", metavar="RUN")
@click.option("--seconds", type=click.IntRange(0), default=3600, show_default=True, help="Stop after so long.")
def watch(client: Client, *, run_id: str, seconds: int) -> object:
    """Wait until a run has ended, and show it; a terminal shows meanwhile how far it is."""
    ends = time.monotonic() + seconds
    with progress("reconciliation") as step:
        while True:
            present = client.get_reconciliation_run(run_id)
            step(f"{present.phase}: {present.payments} payments, {present.new} new discrepancies", 0)
            if present.ended_at is not None:
                return present
            if time.monotonic() >= ends:
                raise click.ClickException(f"It is still {present.state}.")
            time.sleep(_POLL_SECONDS)


@command(
    reconciliation,
    "discrepancies",
    example="payctl reconciliation discrepancies --open",
    columns=("id", "discrepancy_type", "state", "expected_amount", "actual_amount", "currency", "payment_intent_id"),
)
@click.option("--open", "is_open", is_flag=True, help="Those that nobody has resolved.")
@click.option("--payment", help="Of this payment alone.")
@limited
def discrepancies(client: Client, *, is_open: bool, payment: str | None, limit: int) -> object:
    """List what two sides do not agree about."""
    found = client.iterate_discrepancies(resolved="false" if is_open else None, payment_intent_id=payment)
    return first(found, limit)


@command(reconciliation, "resolve", example="payctl reconciliation resolve $DISCREPANCY --note 'seen with the bank'")
@click.argument("discrepancy")
@click.option("--note", help="What was done about it.")
@again
def resolve(client: Client, *, discrepancy: str, note: str | None, idempotency_key: str | None) -> object:
    """Say that a discrepancy is dealt with."""
    return client.resolve_discrepancy(discrepancy, models.Settle(**given(note=note)), idempotency_key=idempotency_key)
