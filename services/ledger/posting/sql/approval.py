"""What tenants let nobody do alone, as the engine reads it in the transaction that posts: once for a group, however large.

A policy never changes, and neither do the accounts that played a role up to a revision of the roles: what was read of both is
true for ever, and is trusted where the posting transaction sees the same two revisions.
"""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

import msgspec

from libs.common.contracts.ledger_policy import RuleKind
from libs.common.contracts.ledger_roles import Role
from libs.common.db import Connection
from libs.common.db.statements import Statement
from services.ledger.accounts import default_roles
from services.ledger.posting.domain.approval import Policy, Rule

_POLICIES_MAX = 10_000
"""Policies that one process remembers; the oldest makes room."""

# Without a lock: a change counts for the groups that begin after it, and whoever makes it waits for those before. Along
# both primary keys, backwards.
_REVISIONS = Statement("""
SELECT tenant.id AS tenant_id, policy.revision, coalesce(
       (SELECT r.revision FROM role_changes AS r WHERE r.tenant_id = tenant.id ORDER BY r.revision DESC LIMIT 1), 0) AS roles
  FROM unnest(:tenant_ids::text[]) AS tenant(id)
 CROSS JOIN LATERAL (SELECT p.revision FROM approval_policies AS p WHERE p.tenant_id = tenant.id
                      ORDER BY p.revision DESC LIMIT 1) AS policy
""")
# Only where a revision is met for the first time: a policy never changes.
_RULES = Statement("""
SELECT rule.tenant_id, rule.kind, rule.account_id, rule.role, rule.thresholds
  FROM unnest(:tenant_ids::text[], :revisions::int8[]) AS policy(tenant_id, revision)
  JOIN approval_rules AS rule USING (tenant_id, revision) ORDER BY rule.tenant_id, rule.rule_no
""")
# All that ever played a role: people change roles, so there are few.
_PLAYED = Statement(
    "SELECT DISTINCT tenant_id, role, account_id FROM role_changes WHERE tenant_id = ANY(:tenant_ids::text[])"
)

_thresholds = msgspec.json.Decoder(dict[str, int])


class KnownPolicies:
    """The policies of the tenants that this process posts for."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int, Policy]] = {}

    async def of(self, tx: Connection, tenant_ids: Sequence[str]) -> dict[str, Policy]:
        """Return what each of these tenants lets nobody do alone; one that never demanded anything is left out."""
        rows = await _REVISIONS.fetch(tx, tenant_ids=list(tenant_ids))
        seen = {row["tenant_id"]: (row["revision"], row["roles"]) for row in rows}
        policies = {
            tenant_id: known[2]
            for tenant_id, revisions in seen.items()
            if (known := self._known.get(tenant_id)) and known[:2] == revisions
        }
        unread = [tenant_id for tenant_id in seen if tenant_id not in policies]
        if unread:
            read = await _read(tx, {tenant_id: seen[tenant_id][0] for tenant_id in unread})
            policies |= read
            for tenant_id, policy in read.items():
                # Roles that changed after `_REVISIONS` are in what was read: too many accounts match, until it is read anew.
                self._known[tenant_id] = (*seen[tenant_id], policy)
            while len(self._known) > _POLICIES_MAX:
                del self._known[next(iter(self._known))]
        return policies


async def _read(tx: Connection, revisions: dict[str, int]) -> dict[str, Policy]:
    tenant_ids = list(revisions)
    played: dict[tuple[str, Role], set[UUID]] = defaultdict(set)
    # Whoever had a role keeps what was booked by it: letting another account play it makes nobody free to move that.
    for row in await _PLAYED.fetch(tx, tenant_ids=tenant_ids):
        played[row["tenant_id"], Role(row["role"])].add(row["account_id"])
    rules: dict[str, list[Rule]] = {tenant_id: [] for tenant_id in tenant_ids}
    for row in await _RULES.fetch(tx, tenant_ids=tenant_ids, revisions=list(revisions.values())):
        account_ids = None
        if row["account_id"] is not None:
            account_ids = frozenset({row["account_id"]})
        elif row["role"] is not None:
            role = Role(row["role"])
            account_ids = frozenset({default_roles(row["tenant_id"])[role], *played[row["tenant_id"], role]})
        rules[row["tenant_id"]].append(
            Rule(
                kind=None if row["kind"] is None else RuleKind(row["kind"]),
                account_ids=account_ids,
                thresholds=_thresholds.decode(row["thresholds"]),
            )
        )
    return {
        tenant_id: Policy(revision=revision, rules=tuple(rules[tenant_id])) for tenant_id, revision in revisions.items()
    }
