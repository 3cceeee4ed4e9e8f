"""Policies, which are only ever added to, and the changes that were proposed of them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts.ledger_policy import ApprovalRule, PolicyChange, PolicyChangeStatus, Threshold
from libs.common.contracts.ledger_roles import Role
from libs.common.db import Connection
from libs.common.db.statements import Statement, columns_of, values_of
from libs.common.errors import Unavailable
from services.ledger.policies.domain import StoredRule

_LOCK_TIMEOUT_MILLISECONDS = 1000
"""How long the second one who changes a tenant's policy waits: the first one writes a few lines and is done."""

# Two who change the policy of one tenant do it one after the other; no group takes this lock.
_LOCK = Statement("SELECT pg_advisory_xact_lock(hashtextextended('changing the policy of tenant ' || :tenant_id, 0))")


class StoredPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of a tenant's policy, without its rules."""

    tenant_id: str
    revision: int
    changed_by: str
    approved_by: str | None
    changed_at: datetime
    change_id: UUID | None


_CHANGE = "id, status, reason, follows, rules, made_by, responsible, made_at, expires_at, decided_by, decided_at, decision_reason"
_rules = msgspec.json.Decoder(list[ApprovalRule])
_thresholds = msgspec.json.Decoder(dict[str, int])

# Along the primary key, backwards. Policies are only ever added, so the highest revision is the one in force.
_LATEST = Statement(
    "SELECT {columns} FROM approval_policies WHERE tenant_id = :tenant_id ORDER BY revision DESC LIMIT 1",
    columns=columns_of(StoredPolicy),
)
# With the codes that people know; an account never changes its code.
_RULES_OF = Statement("""
SELECT rule.kind, account.code, rule.role, rule.thresholds FROM approval_rules AS rule
  LEFT JOIN accounts AS account ON account.tenant_id = rule.tenant_id AND account.id = rule.account_id
 WHERE rule.tenant_id = :tenant_id AND rule.revision = :revision ORDER BY rule.rule_no
""")
# Without ON CONFLICT: the tenant's lock makes the revision unique, and one that is taken all the same must fail.
_ADD_POLICY = Statement(
    "INSERT INTO approval_policies ({columns}) VALUES ({values})",
    columns=columns_of(StoredPolicy),
    values=values_of("policy", StoredPolicy),
)
# All rules by one statement, in the transaction that writes their policy.
_ADD_RULES = Statement("""
INSERT INTO approval_rules (tenant_id, revision, rule_no, kind, account_id, role, thresholds)
SELECT :tenant_id, :revision, rule_no, kind, account_id, role, thresholds::jsonb
  FROM unnest(:rules[].rule_no::int2[], :rules[].kind::text[], :rules[].account_id::uuid[], :rules[].role::text[],
              :rules[].thresholds::text[]) AS rule(rule_no, kind, account_id, role, thresholds)
""")
# Without ON CONFLICT: under the tenant's lock it was looked for, and one that is there all the same must fail.
_ADD_CHANGE = Statement("""
INSERT INTO policy_changes (tenant_id, id, status, reason, follows, rules, made_by, responsible, made_at, expires_at, decided_at)
VALUES (:tenant_id, :change.id, :change.status, :change.reason, :change.follows, :rules, :change.made_by,
       :change.responsible, :change.made_at, :change.expires_at, :change.decided_at)
""")
# Without a lock: who decides holds the tenant's, and that its time is over is found by whoever reads it.
_FIND_CHANGE = Statement(
    "SELECT {columns} FROM policy_changes WHERE tenant_id = :tenant_id AND id = :change_id", columns=_CHANGE
)
# Without a comparison: whoever decides holds the tenant's lock. Our role may update these columns of it alone.
_DECIDE = Statement("""
UPDATE policy_changes SET status = :change.status, decided_by = :change.decided_by, decided_at = :change.decided_at,
       decision_reason = :change.decision_reason
WHERE tenant_id = :tenant_id AND id = :change.id
""")
# In the order of `ix_policy_changes_made_at`. No row is stored as expired, so the filter has to find it by `now`.
_CHANGES = Statement(
    """
SELECT {columns} FROM policy_changes WHERE tenant_id = :tenant_id
AND (:status::text IS NULL OR :status = CASE WHEN status = 'open'
  AND expires_at <= :now THEN 'expired' ELSE status END)
AND (:before_at::timestamptz IS NULL OR (made_at, id) < (:before_at, :before_id::uuid)) ORDER BY made_at DESC,
       id DESC LIMIT :limit
""",
    columns=_CHANGE,
)


async def lock_policy(tx: Connection, tenant_id: str) -> None:
    """Keep others from changing a tenant's policy until the transaction ends.

    Raises:
        Unavailable: when somebody else takes too long about it.
    """
    await tx.execute(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MILLISECONDS}")
    try:
        await _LOCK.execute(tx, tenant_id=tenant_id)
    except asyncpg.LockNotAvailableError as fault:
        raise Unavailable("the policy of the tenant is being changed") from fault


async def latest_policy(connection: Connection, tenant_id: str) -> tuple[StoredPolicy | None, list[ApprovalRule]]:
    """Read a tenant's policy and its rules; None and no rules where there never was one."""
    row = await _LATEST.fetchrow(connection, tenant_id=tenant_id)
    if row is None:
        return None, []
    policy = StoredPolicy(**dict(row))
    rows = await _RULES_OF.fetch(connection, tenant_id=tenant_id, revision=policy.revision)
    return policy, [_rule(row) for row in rows]


def _rule(row: asyncpg.Record) -> ApprovalRule:
    return ApprovalRule(
        kind=row["kind"],
        account=row["code"],
        role=None if row["role"] is None else Role(row["role"]),
        thresholds=[
            Threshold(currency=currency, at_least_minor=amount)
            for currency, amount in sorted(_thresholds.decode(row["thresholds"]).items())
        ],
    )


async def add_policy(tx: Connection, policy: StoredPolicy, rules: Sequence[StoredRule]) -> None:
    """Write a policy, which is in force for every group that begins after the commit."""
    await _ADD_POLICY.execute(tx, policy=policy)
    if rules:
        await _ADD_RULES.execute(tx, tenant_id=policy.tenant_id, revision=policy.revision, rules=rules)


async def add_change(tx: Connection, tenant_id: str, change: PolicyChange) -> None:
    """Write down what somebody proposes."""
    rules = msgspec.json.encode(change.rules).decode()
    await _ADD_CHANGE.execute(tx, tenant_id=tenant_id, change=change, rules=rules)


async def change_by_id(
    connection: Connection, tenant_id: str, change_id: UUID, *, now: datetime
) -> PolicyChange | None:
    """Find a change as it stands at `now`."""
    row = await _FIND_CHANGE.fetchrow(connection, tenant_id=tenant_id, change_id=change_id)
    return None if row is None else _change(row, now)


async def decide_change(tx: Connection, tenant_id: str, change: PolicyChange) -> None:
    """Write down a decision; whoever does holds the tenant's lock."""
    await _DECIDE.execute(tx, tenant_id=tenant_id, change=change)


async def changes(
    connection: Connection,
    tenant_id: str,
    *,
    status: PolicyChangeStatus | None,
    before: tuple[datetime, UUID] | None,
    now: datetime,
    limit: int,
) -> list[PolicyChange]:
    """Read changes, newest first; an open one whose time is over counts as expired."""
    rows = await _CHANGES.fetch(
        connection,
        tenant_id=tenant_id,
        status=status,
        now=now,
        before_at=None if before is None else before[0],
        before_id=None if before is None else before[1],
        limit=limit,
    )
    return [_change(row, now) for row in rows]


def _change(row: asyncpg.Record, now: datetime) -> PolicyChange:
    members = dict(row)
    status = PolicyChangeStatus(members.pop("status"))
    if status is PolicyChangeStatus.OPEN and row["expires_at"] <= now:
        status = PolicyChangeStatus.EXPIRED
    return PolicyChange(status=status, rules=_rules.decode(members.pop("rules")), **members)
