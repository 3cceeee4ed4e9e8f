"""`payctl ledger` and `payctl holds`."""

import os
from pathlib import Path

import click

from payments_client import Client, models
from payments_client.payctl.commands import again, command, first, given, limited
from payments_client.payctl.output import progress

_FILES = ("csv", "beancount", "hledger")
_HOLD = ("id", "state", "amount", "currency", "debit_account", "credit_account", "expires_at")


@click.group()
def ledger() -> None:
    """Read the books."""


@command(
    ledger,
    "balances",
    example="payctl ledger balances --currency BRL",
    columns=("account", "currency", "normal_balance", "normal_side"),
)
@click.option("--currency", help="ISO 4217 code.")
@click.option("--account", help="One account's code.")
@click.option("--as-of", help="At this instant, or midnight UTC of this date.")
def balances(client: Client, *, currency: str | None, account: str | None, as_of: str | None) -> object:
    """List the balance of each account."""
    return client.list_ledger_balances(currency=currency, account=account, as_of=as_of)


@command(
    ledger,
    "entries",
    example="payctl ledger entries --payment $SETTLED",
    columns=("id", "posted_at", "kind", "payment_intent_id", "reverses"),
)
@click.option("--payment", help="Of this payment alone.")
@click.option("--account", help="That touch this account.")
@limited
def entries(client: Client, *, payment: str | None, account: str | None, limit: int) -> object:
    """List journal entries, newest first."""
    return first(client.iterate_ledger_entries(payment_intent_id=payment, account=account), limit)


@command(
    ledger,
    "statement",
    example="payctl ledger statement CASH BRL",
    columns=("occurred_at", "side", "amount", "balance", "kind", "description"),
)
@click.argument("account")
@click.argument("currency")
@click.option("--from", "from_", help="From this date or instant.")
@click.option("--to", help="Until this date or instant.")
@limited
def statement(client: Client, *, account: str, currency: str, from_: str | None, to: str | None, limit: int) -> object:
    """List what moved an ACCOUNT, with the balance after each line."""
    return first(client.iterate_statement(account=account, currency=currency, from_=from_, to=to), limit)


@command(ledger, "export", example="payctl ledger export --format beancount --from 2026-01-01")
@click.option(
    "--format", "file_format", type=click.Choice(_FILES), default="csv", show_default=True, help="For which program."
)
@click.option("--from", "from_", help="From this date or instant of record.")
@click.option("--to", help="Until this date or instant.")
@click.option("--tz", help="The time zone of dates: America/Sao_Paulo.")
@click.option("--locale", help="Of a csv: whose spreadsheets read it, pt-BR for example.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; else it is printed.")
def export(client: Client, *, output: Path | None, **arguments: str | None) -> None:
    """Write the whole journal as a file: every entry, oldest first."""
    parts = client.export_journal(arguments.pop("file_format") or "csv", **arguments)
    if output is None:
        for part in parts:
            click.echo(part, nl=False)
        return
    written = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with written.open("wb") as out, progress(output.name, is_download=True) as step:
            for part in parts:
                out.write(part)
                step(output.name, len(part))
        # A part of the journal is never taken for the whole.
        written.replace(output)
    except OSError as failed:
        raise click.ClickException(str(failed)) from None
    finally:
        written.unlink(missing_ok=True)


@command(
    ledger,
    "accounts",
    example="payctl ledger accounts",
    columns=("code", "account_type", "label", "is_default"),
)
def accounts(client: Client) -> object:
    """List the accounts."""
    return client.list_accounts()


@click.group()
def holds() -> None:
    """Set amounts aside on accounts."""


@command(holds, "place", example="payctl holds place 10.00 BRL CASH REVENUE")
@click.argument("amount")
@click.argument("currency")
@click.argument("debit_account")
@click.argument("credit_account")
@click.option("--expires-at", help="When it ends by itself.")
@again
def place(
    client: Client,
    *,
    amount: str,
    currency: str,
    debit_account: str,
    credit_account: str,
    expires_at: str | None,
    idempotency_key: str | None,
) -> object:
    """Set AMOUNT aside, to be moved from DEBIT_ACCOUNT's side to CREDIT_ACCOUNT's when it is captured."""
    body = models.PlaceHoldBody(
        amount=amount,
        currency=currency,
        debit_account=debit_account,
        credit_account=credit_account,
        **given(expires_at=expires_at),
    )
    return client.place_hold(body, idempotency_key=idempotency_key)


@command(holds, "capture", example="payctl holds capture $HOLD --amount 4.00")
@click.argument("hold")
@click.option("--amount", help="A part of it; the rest is released.")
@again
def capture(client: Client, *, hold: str, amount: str | None, idempotency_key: str | None) -> object:
    """Post what was set aside."""
    return client.capture_hold(hold, models.CaptureHoldBody(**given(amount=amount)), idempotency_key=idempotency_key)


@command(holds, "void", example="payctl holds void $HOLD")
@click.argument("hold")
@again
def void(client: Client, *, hold: str, idempotency_key: str | None) -> object:
    """Release what was set aside."""
    return client.void_hold(hold, idempotency_key=idempotency_key)


@command(holds, "list", example="payctl holds list --state OPEN", columns=_HOLD)
@click.option("--state", type=click.Choice([each.value for each in models.HoldState]), help="Those of one state.")
@limited
def list_(client: Client, *, state: str | None, limit: int) -> object:
    """List holds, newest first."""
    return first(client.iterate_holds(state=state), limit)
