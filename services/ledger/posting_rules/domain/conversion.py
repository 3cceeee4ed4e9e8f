"""The posting rule of a conversion: two linked entries, each balanced in its own currency. Pure.

No entry ever holds two currencies. What was sold is set against the currency position, which is credited with what was bought
in the other entry: its two balances are the same worth at the rate, and nobody has to add two currencies to see that the
books are right. What the rate does not explain, rounding included, is a gain or a loss in the currency that was sold.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.ledger import EntryKind, Side
from libs.common.contracts.ledger_roles import Role
from libs.common.ids import derived_id
from services.ledger.core import Chart, Entry, Exchange, Line


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """Money of a tenant that was exchanged, as far as the rule needs to know it."""

    id: UUID
    """Links the two entries."""
    from_account_id: UUID
    """Where the sold amount was taken from."""
    to_account_id: UUID
    """Where the bought amount went."""
    from_currency: str
    """What was sold."""
    to_currency: str
    """What was bought."""
    amounts: Exchange
    """How much of each."""
    occurred_at: datetime
    """When it happened in the world."""


def conversion_entries(chart: Chart, conversion: Conversion) -> tuple[Entry, Entry]:
    """Record an exchange of currencies: what was sold leaves its account, what was bought arrives on its own.

    Raises:
        EntryInvalid: when an amount or a currency cannot stand in a book.
    """
    amounts, position, gain = conversion.amounts, chart.roles[Role.FX_POSITION], conversion.amounts.gain_minor
    debits, credits_ = [(position, amounts.valued_minor)], [(conversion.from_account_id, amounts.sold_minor)]
    if gain > 0:
        credits_.append((chart.roles[Role.FX_GAIN_LOSS], gain))
    elif gain < 0:
        debits.append((chart.roles[Role.FX_GAIN_LOSS], -gain))
    sold = _entry(
        chart, conversion, EntryKind.CONVERSION_SOLD, conversion.from_currency, debits=debits, credits_=credits_
    )
    bought = _entry(
        chart,
        conversion,
        EntryKind.CONVERSION_BOUGHT,
        conversion.to_currency,
        debits=[(conversion.to_account_id, amounts.bought_minor)],
        credits_=[(position, amounts.bought_minor)],
    )
    return sold, bought


def _entry(
    chart: Chart,
    conversion: Conversion,
    kind: EntryKind,
    currency: str,
    *,
    debits: Sequence[tuple[UUID, int]],
    credits_: Sequence[tuple[UUID, int]],
) -> Entry:
    amounts = conversion.amounts
    return Entry(
        tenant_id=chart.tenant_id,
        id=derived_id(conversion.id, kind.value),
        kind=kind,
        content=f"{kind.replace('_', ' ')} {conversion.id}: {amounts.sold_minor} {conversion.from_currency} "
        f"for {amounts.bought_minor} {conversion.to_currency}",
        payment_intent_id=None,
        subject_id=conversion.id,
        occurred_at=conversion.occurred_at,
        source_event_id=None,
        lines=tuple(
            Line(account_id=account_id, side=side, amount_minor=amount_minor, currency=currency)
            for side, moved in ((Side.DEBIT, debits), (Side.CREDIT, credits_))
            for account_id, amount_minor in moved
        ),
    )
