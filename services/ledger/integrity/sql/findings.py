"""Findings: what cannot be in the books, written down once and resolved once."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import asyncpg
import msgspec

from libs.common.db import Connection
from libs.common.db.statements import Statement


class StoredFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Something in the books that cannot be."""

    invariant: str
    tenant_id: str
    """Empty where it concerns a chain."""
    subject: str
    detail: str


STANDING = {
    "tenant_balanced": (
        "SELECT tenant_id, tenant_id || ' ' || currency AS subject, "
        "'debits and credits of all accounts differ by ' || sum(debits_minor - credits_minor) || ' minor units' AS detail "
        "FROM balances GROUP BY tenant_id, currency HAVING sum(debits_minor) <> sum(credits_minor)"
    ),
    "balance_follows_postings": (
        "SELECT b.tenant_id, b.account_id || ' ' || b.currency AS subject, "
        "'the balance is not what its last posting left' AS detail FROM balances AS b "
        "LEFT JOIN LATERAL (SELECT version, debits_after_minor, credits_after_minor FROM postings AS p "
        "WHERE p.tenant_id = b.tenant_id AND p.account_id = b.account_id AND p.currency = b.currency "
        "ORDER BY p.posted_at DESC, p.version DESC LIMIT 1) AS p ON true WHERE (b.version, b.debits_minor, b.credits_minor) "
        "<> (coalesce(p.version, 0), coalesce(p.debits_after_minor, 0), coalesce(p.credits_after_minor, 0))"
    ),
    "holds_pending": (
        "SELECT b.tenant_id, b.account_id || ' ' || b.currency AS subject, "
        "'what is pending is not the sum of the open holds' AS detail FROM balances AS b LEFT JOIN ("
        "SELECT tenant_id, account_id, currency, sum(debits) AS debits, sum(credits) AS credits FROM ("
        "SELECT tenant_id, debit_account_id AS account_id, currency, amount_minor AS debits, 0 AS credits "
        "FROM holds WHERE state = 'OPEN' UNION ALL SELECT tenant_id, credit_account_id, currency, 0, amount_minor "
        "FROM holds WHERE state = 'OPEN') AS side GROUP BY 1, 2, 3) AS h USING (tenant_id, account_id, currency) "
        "WHERE (b.pending_debits_minor, b.pending_credits_minor) <> (coalesce(h.debits, 0), coalesce(h.credits, 0))"
    ),
}
"""Invariants of balances and holds, whose cost does not grow with the journal."""

THOROUGH = {
    "posting_follows_posting": (
        "SELECT tenant_id, account_id || ' ' || currency AS subject, "
        "'the posting of version ' || min(version) || ' does not go on from the one before it' AS detail FROM ("
        "SELECT tenant_id, account_id, currency, version, (version, debits_after_minor, credits_after_minor) <> "
        "(lag(version, 1, 0::int8) OVER earlier + 1, "
        "lag(debits_after_minor, 1, 0::int8) OVER earlier + CASE side WHEN 'DEBIT' THEN amount_minor ELSE 0 END, "
        "lag(credits_after_minor, 1, 0::int8) OVER earlier + CASE side WHEN 'DEBIT' THEN 0 ELSE amount_minor END) AS is_wrong "
        "FROM postings WINDOW earlier AS (PARTITION BY account_id, currency, tenant_id ORDER BY posted_at, version)) AS posting "
        "WHERE is_wrong GROUP BY tenant_id, account_id, currency"
    ),
    "entry_balanced": (
        "SELECT tenant_id, entry_id::text AS subject, 'debits and credits differ by ' || abs(sum("
        "CASE side WHEN 'DEBIT' THEN amount_minor ELSE -amount_minor END)) || ' minor units' AS detail "
        "FROM postings GROUP BY tenant_id, entry_id, currency "
        "HAVING sum(CASE side WHEN 'DEBIT' THEN amount_minor ELSE -amount_minor END) <> 0"
    ),
    "posting_of_entry": (
        "SELECT p.tenant_id, p.entry_id::text AS subject, 'there are postings of an entry that is not there' AS detail "
        "FROM postings AS p LEFT JOIN journal_entries AS e ON e.tenant_id = p.tenant_id AND e.id = p.entry_id "
        "WHERE e.id IS NULL"
    ),
    "entry_of_group": (
        "SELECT e.tenant_id, e.id::text AS subject, 'the entry stands in no group that was committed' AS detail "
        "FROM journal_entries AS e LEFT JOIN entry_groups AS g ON g.chain = e.chain AND g.sequence = e.sequence "
        "WHERE g.chain IS NULL OR e.position NOT BETWEEN 1 AND g.entry_count"
    ),
}
"""Invariants that need every posting to be read."""

_EACH_MAX = 100

_QUESTION_SECONDS = 3600.0
"""How long one of them may take: in books of many millions of entries it is minutes."""


async def broken_invariants(connection: Connection, invariants: Iterable[str]) -> list[StoredFinding]:
    """Look for what cannot be, at most a hundred of each of these invariants."""
    questions = STANDING | THOROUGH
    return [
        StoredFinding(invariant=invariant, tenant_id=row["tenant_id"], subject=row["subject"], detail=row["detail"])
        for invariant in invariants
        for row in await connection.fetch(f"{questions[invariant]} LIMIT {_EACH_MAX}", timeout=_QUESTION_SECONDS)
    ]


# One row for each balance, all of which are read.
_TRIAL_BALANCE = Statement("""
SELECT coalesce(sum(abs(difference)), 0) FROM (
    SELECT sum(debits_minor - credits_minor) AS difference FROM balances GROUP BY tenant_id, currency) AS by_tenant
""")


async def trial_balance_difference(connection: Connection) -> int:
    """Sum what debits and credits differ by, over all tenants and currencies, in minor units and without the sign."""
    return int(await _TRIAL_BALANCE.fetchval(connection) or 0)


_IS_OPEN = (
    "NOT EXISTS (SELECT FROM finding_resolutions AS r WHERE r.subject = f.subject AND r.invariant = f.invariant "
    "AND r.tenant_id = f.tenant_id)"
)
"""Whether a finding `f` has not been resolved."""

# Each published payment or refund names its entry, and an entry is found under the id that it would name.
_RESOLVE = Statement(
    """
INSERT INTO finding_resolutions (invariant, tenant_id, subject, resolved_at)
SELECT f.invariant, f.tenant_id, f.subject, :resolved_at FROM findings AS f
WHERE f.invariant IN ('entry_without_intent', 'intent_without_entry') AND {is_open} AND EXISTS (
    SELECT FROM claims AS c
    JOIN journal_entries AS e ON e.id = c.entry_id AND e.tenant_id = c.tenant_id AND e.kind = c.kind
    JOIN postings AS p ON p.entry_id = e.id AND p.tenant_id = e.tenant_id AND p.line_no = 1
    WHERE c.tenant_id = f.tenant_id AND (p.amount_minor, p.currency) = (c.amount_minor, c.currency)
      AND (CASE f.invariant WHEN 'entry_without_intent' THEN c.entry_id ELSE c.subject_id END)::text = f.subject)
ON CONFLICT DO NOTHING RETURNING invariant, tenant_id, subject
""",
    is_open=_IS_OPEN,
)


async def resolve_findings(tx: Connection, *, resolved_at: datetime) -> list[asyncpg.Record]:
    """Resolve the findings whose payment or refund and entry have both arrived by now and agree; returns them."""
    return await _RESOLVE.fetch(tx, resolved_at=resolved_at)


# Gives back those that are new alone: each is counted and published once, however often it is found.
_WRITE_FINDINGS = Statement("""
INSERT INTO findings (invariant, tenant_id, subject, detail, found_at)
SELECT *, :found_at FROM unnest(:findings[].invariant::text[], :findings[].tenant_id::text[],
       :findings[].subject::text[], :findings[].detail::text[])
ON CONFLICT DO NOTHING RETURNING invariant, tenant_id, subject, detail
""")


async def write_findings(
    tx: Connection, findings: Sequence[StoredFinding], *, found_at: datetime
) -> list[StoredFinding]:
    """Write findings down, and return those that are new."""
    rows = await _WRITE_FINDINGS.fetch(tx, findings=findings, found_at=found_at)
    return [StoredFinding(**dict(row)) for row in rows]


# Those of no tenant as well: a chain that is broken concerns the books of all.
_FINDINGS_OF = Statement(
    """
SELECT invariant, subject, detail, found_at FROM findings AS f WHERE tenant_id IN (:tenant_id, '')
AND {is_open}
ORDER BY found_at DESC, subject LIMIT :limit
""",
    is_open=_IS_OPEN,
)


async def findings_of(connection: Connection, tenant_id: str, *, limit: int) -> list[asyncpg.Record]:
    """Read what was found in a tenant's books and in the chains and does not hold yet, the latest first."""
    return await _FINDINGS_OF.fetch(connection, tenant_id=tenant_id, limit=limit)


# A finding never changes: what is open is what has no row of resolutions.
_COUNT_FINDINGS = Statement("SELECT count(*) FROM findings AS f WHERE {is_open}", is_open=_IS_OPEN)


async def count_findings(connection: Connection) -> int:
    """Count what was found and does not hold yet."""
    counted: int = await _COUNT_FINDINGS.fetchval(connection)
    return counted
