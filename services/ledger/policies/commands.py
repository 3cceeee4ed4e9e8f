"""Changing what a tenant lets nobody do alone. Once anything is, the change itself needs a second person."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from uuid import UUID

from libs.common.clock import Clock
from libs.common.contracts import ledger_policy as contract
from libs.common.contracts.ledger_errors import (
    ApprovalRequired,
    PolicyChangeConflict,
    PolicyChangeNotFound,
    PolicyChangeOutdated,
    SelfApproval,
)
from libs.common.contracts.ledger_journal import JournalPolicy, SetJournalPolicy
from libs.common.contracts.ledger_policy import ApprovalRule, PolicyChange, PolicyChangeStatus
from libs.common.db import Connection, Database
from libs.common.errors import Unavailable
from services.ledger.accounts import Charts, accounts_of
from services.ledger.policies import sql
from services.ledger.policies.domain import (
    EVERYTHING,
    StoredRule,
    check_change,
    codes,
    decided,
    demands_every,
    is_same,
    require_decidable,
    stored_rules,
)
from services.ledger.policies.sql import StoredPolicy
from services.ledger.posting import earlier_groups_ended


class Policies:
    """What one ledger process decides about policies."""

    def __init__(self, database: Database, *, clock: Clock, lifetime: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._lifetime = lifetime
        self._charts = Charts()

    async def propose(self, request: contract.ProposePolicyChange) -> PolicyChange:
        """Propose a policy. Where the present one demands nothing it is applied at once; else somebody else has to decide.

        The same id and content again is answered as it stands.

        Raises:
            PolicyInvalid: naming each member that cannot be.
            AccountUnknown: when a rule names an account that is not in the chart.
            PolicyChangeConflict: when there is a change of this id with other content.
            Unavailable: when an entry is being posted that began before; again finishes it.
        """
        check_change(request)

        async def write(tx: Connection) -> PolicyChange:
            now = self._clock.now()
            existing = await sql.change_by_id(tx, request.tenant_id, request.change_id, now=now)
            if existing is not None:
                if not is_same(existing, request):
                    raise PolicyChangeConflict(f"there is a change {request.change_id} with other content")
                return existing
            policy, rules = await sql.latest_policy(tx, request.tenant_id)
            change = PolicyChange(
                id=request.change_id,
                status=PolicyChangeStatus.OPEN,
                reason=request.reason,
                follows=0 if policy is None else policy.revision,
                rules=request.rules,
                made_by=request.made_by,
                responsible=request.responsible,
                made_at=now,
                expires_at=now + self._lifetime,
            )
            # Before it is kept: what cannot be applied is refused now.
            await self._stored(tx, request.tenant_id, request.rules)
            if not rules:
                change = decided(change, PolicyChangeStatus.APPLIED, by=None, reason=None, at=now)
                await self._apply(tx, request.tenant_id, change)
            await sql.add_change(tx, request.tenant_id, change)
            return change

        return await self._changing(request.tenant_id, write)

    async def approve(self, request: contract.ApprovePolicyChange) -> PolicyChange:
        """Let what somebody else proposed become the policy; again is success.

        Raises:
            PolicyChangeNotFound: when the tenant has none of this id.
            SelfApproval: when it is the one who proposed it, or made the API key that did, or that key names no person.
            PolicyChangeDecided: when it was rejected, or its time is over.
            PolicyChangeOutdated: when the policy has changed since.
            Unavailable: when an entry is being posted that began before; again finishes it.
        """

        async def write(tx: Connection) -> PolicyChange:
            existing = await self._change(tx, request.tenant_id, request.change_id)
            require_decidable(existing, by=request.decided_by, status=PolicyChangeStatus.APPLIED)
            if existing.status is PolicyChangeStatus.APPLIED:
                return existing
            if existing.made_by.startswith("key:") and not existing.responsible:
                raise SelfApproval("nobody known answers for the key that proposed it: reject it, and propose it again")
            policy, _ = await sql.latest_policy(tx, request.tenant_id)
            if existing.follows != (0 if policy is None else policy.revision):
                raise PolicyChangeOutdated("the policy has changed since this change of it was proposed")
            change = decided(
                existing,
                PolicyChangeStatus.APPLIED,
                by=request.decided_by,
                reason=request.reason,
                at=self._clock.now(),
            )
            await self._apply(tx, request.tenant_id, change)
            await sql.decide_change(tx, request.tenant_id, change)
            return change

        return await self._changing(request.tenant_id, write)

    async def reject(self, request: contract.RejectPolicyChange) -> PolicyChange:
        """Refuse a policy that somebody else proposed; again is success.

        Raises:
            PolicyChangeNotFound: when the tenant has none of this id.
            SelfApproval: when it is the one who proposed it, or made the API key that did.
            PolicyChangeDecided: when it was applied, or its time is over.
        """
        async with self._database.transaction() as tx:
            await sql.lock_policy(tx, request.tenant_id)
            existing = await self._change(tx, request.tenant_id, request.change_id)
            require_decidable(existing, by=request.decided_by, status=PolicyChangeStatus.REJECTED)
            if existing.status is PolicyChangeStatus.REJECTED:
                return existing
            change = decided(
                existing,
                PolicyChangeStatus.REJECTED,
                by=request.decided_by,
                reason=request.reason,
                at=self._clock.now(),
            )
            await sql.decide_change(tx, request.tenant_id, change)
        return change

    async def set_for_everything(self, request: SetJournalPolicy) -> JournalPolicy:
        """Demand a second person for everything, or for nothing, by one person: where nothing is demanded yet.

        Raises:
            ApprovalRequired: when the policy demands anything, and this would change it.
            Unavailable: when an entry is being posted that began before; again finishes it.
        """

        async def write(tx: Connection) -> JournalPolicy:
            policy, rules = await sql.latest_policy(tx, request.tenant_id)
            demanded = request.manual_entries_need_approval
            if demanded != demands_every(rules, None):
                if rules:
                    raise ApprovalRequired("this tenant lets nobody change its policy alone: propose a change of it")
                await sql.add_policy(
                    tx,
                    StoredPolicy(
                        tenant_id=request.tenant_id,
                        revision=1 if policy is None else policy.revision + 1,
                        changed_by=request.changed_by,
                        approved_by=None,
                        changed_at=self._clock.now(),
                        change_id=None,
                    ),
                    stored_rules([EVERYTHING], {}),
                )
            return JournalPolicy(manual_entries_need_approval=demanded)

        return await self._changing(request.tenant_id, write)

    async def _changing[T](self, tenant_id: str, write: Callable[[Connection], Awaitable[T]]) -> T:
        """Change a policy, and return once no group is left that began before and may still post by the one before."""
        async with self._database.transaction() as tx:
            await sql.lock_policy(tx, tenant_id)
            # The default accounts, which rules may name, are there before any message about the tenant.
            await self._charts.of(tx, [tenant_id], opened_at=self._clock.now())
            changed = await write(tx)
        async with self._database.connection() as connection:
            if not await earlier_groups_ended(connection):
                raise Unavailable(
                    "entries are being posted that began before the policy was changed; again finishes it"
                )
        return changed

    async def _change(self, tx: Connection, tenant_id: str, change_id: UUID) -> PolicyChange:
        found = await sql.change_by_id(tx, tenant_id, change_id, now=self._clock.now())
        if found is None:
            raise PolicyChangeNotFound("change of the policy not found")
        return found

    async def _stored(self, tx: Connection, tenant_id: str, rules: Sequence[ApprovalRule]) -> list[StoredRule]:
        return stored_rules(rules, await accounts_of(tx, tenant_id, codes(rules)))

    async def _apply(self, tx: Connection, tenant_id: str, change: PolicyChange) -> None:
        assert change.decided_at is not None
        policy = StoredPolicy(
            tenant_id=tenant_id,
            revision=change.follows + 1,
            changed_by=change.made_by,
            approved_by=change.decided_by,
            changed_at=change.decided_at,
            change_id=change.id,
        )
        await sql.add_policy(tx, policy, await self._stored(tx, tenant_id, change.rules))
