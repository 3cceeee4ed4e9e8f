"""What several statements of matching share: how a line and a payout are read, and what is free."""

from datetime import date
from uuid import UUID

import msgspec

from libs.common.db.statements import reader_of
from services.gateway.reconciliation.matching.domain import (
    Line,
    Payout,
)

LINE = ", ".join(f"l.{name}" for name in Line.__struct_fields__)


read_line, read_payout = reader_of(Line), reader_of(Payout)


FREE = """
NOT EXISTS (SELECT FROM line_match_parts AS f
             WHERE f.part_id = l.id AND f.side = 'line' AND f.tenant_id = l.tenant_id AND f.is_active)
"""


PAYOUT = """
p.id, p.payout_id, p.amount_minor, p.currency, p.status, p.arrives_at, p.trace_id,
(SELECT coalesce(m.other_minor, m.amount_minor) FROM line_match_parts AS f JOIN line_matches AS m ON m.id = f.match_id AND m.tenant_id = f.tenant_id
  WHERE f.part_id = p.payout_id AND f.side = 'payout' AND f.tenant_id = p.tenant_id AND f.is_active) AS matched_minor
"""


class Days(msgspec.Struct, frozen=True, kw_only=True):
    """For which days payouts in no match are read, of one currency and sign."""

    key: int
    currency: str
    is_debit: bool
    """Whether amounts are below zero."""
    first_on: date
    last_on: date


class Near(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for around a line or payout: amounts and days."""

    key: UUID
    currency: str
    least: int = 0
    most: int = 0
    day: date = date.min
    first_on: date
    last_on: date
