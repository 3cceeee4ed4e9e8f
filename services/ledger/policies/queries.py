"""Reads about policies."""

from libs.common.clock import Clock
from libs.common.contracts import ledger_policy as contract
from libs.common.contracts.ledger_errors import PolicyChangeNotFound
from libs.common.contracts.ledger_journal import GetJournalPolicy, JournalPolicy
from libs.common.contracts.ledger_policy import RuleKind
from libs.common.db import Connection, Database
from services.ledger.core import checked_limit, read_cursor, write_cursor
from services.ledger.policies import sql
from services.ledger.policies.domain import demands_every

CHANGES_MAX = 200
"""Changes on one page at most."""


async def needs_approval(connection: Connection, tenant_id: str, kind: RuleKind) -> bool:
    """Return whether a tenant lets nobody do anything of a kind alone, whatever it moves."""
    _, rules = await sql.latest_policy(connection, tenant_id)
    return demands_every(rules, kind)


class PolicyQueries:
    """Reads about policies."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def policy(self, request: contract.GetApprovalPolicy) -> contract.ApprovalPolicy:
        """Return what a tenant lets nobody do alone."""
        async with self._database.connection() as connection:
            found, rules = await sql.latest_policy(connection, request.tenant_id)
        if found is None:
            return contract.ApprovalPolicy(revision=0, rules=[])
        return contract.ApprovalPolicy(
            revision=found.revision,
            rules=rules,
            changed_by=found.changed_by,
            approved_by=found.approved_by,
            changed_at=found.changed_at,
        )

    async def is_for_everything(self, request: GetJournalPolicy) -> JournalPolicy:
        """Return whether a tenant lets nobody do anything alone."""
        async with self._database.connection() as connection:
            _, rules = await sql.latest_policy(connection, request.tenant_id)
        return JournalPolicy(manual_entries_need_approval=demands_every(rules, None))

    async def change(self, request: contract.GetPolicyChange) -> contract.PolicyChange:
        """Find a change of the policy.

        Raises:
            PolicyChangeNotFound: when the tenant has none of this id.
        """
        async with self._database.connection() as connection:
            found = await sql.change_by_id(connection, request.tenant_id, request.change_id, now=self._clock.now())
        if found is None:
            raise PolicyChangeNotFound("change of the policy not found")
        return found

    async def changes(self, request: contract.ListPolicyChanges) -> contract.PolicyChangePage:
        """List changes of the policy, newest first.

        Raises:
            QueryInvalid: for a limit out of range, or a cursor that is not ours.
        """
        limit = checked_limit(request.limit, CHANGES_MAX)
        async with self._database.connection() as connection:
            # One more than requested shows whether there is a next page.
            found = await sql.changes(
                connection,
                request.tenant_id,
                status=request.status,
                before=None if request.cursor is None else read_cursor(request.cursor),
                now=self._clock.now(),
                limit=limit + 1,
            )
        page = found[:limit]
        return contract.PolicyChangePage(
            changes=page,
            next_cursor=write_cursor(page[-1].made_at, page[-1].id) if len(found) > limit else None,
        )
