"""Posting what happened to money at the processor, and choosing the account that plays a role."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from libs.common.clock import Clock
from libs.common.contracts import ledger_roles as contract
from libs.common.contracts.ledger_errors import AccountUnknown
from libs.common.contracts.ledger_roles import Role
from libs.common.db import Connection, Database
from libs.common.messaging import publish
from libs.common.observability.correlation import Correlation
from libs.common.observability.logging import get_logger
from services.ledger import metrics, outbox
from services.ledger.accounts import (
    ROLES,
    Charts,
    RoleChange,
    account_by_code,
    add_role_change,
    assigned_roles,
    chart_of,
    hold_roles,
    lock_roles,
    role_changes,
)
from services.ledger.core import Account, Chart, Entry, Quote
from services.ledger.errors import RoleActorInvalid
from services.ledger.posting import BalanceCache, Booking, Refused, Replayed, count, post_locked, post_optimistically
from services.ledger.posting_rules.domain.movements import Movement, MovementRule, is_far_off, movement_entries
from services.ledger.posting_rules.domain.payments import Occurrence, PostingRule
from services.ledger.posting_rules.domain.roles import check_role

log = get_logger("ledger.posting_rules")

type QuoteOf = Callable[[Connection, str, str, str, datetime], Awaitable[Quote | None]]
"""Finds what one unit of a currency is worth in another one to a tenant at an instant; None where no rate is known."""


class PaymentCommands:
    """What one ledger process posts of payments; several processes may post for the same tenants."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        cache: BalanceCache | None = None,
        quote_of: QuoteOf | None = None,
        band_percent: int = 10,
    ) -> None:
        self._database = database
        self._band_percent = band_percent
        self._clock = clock
        self._cache = cache
        self._quote_of = quote_of
        self._charts = Charts()

    async def post_occurrences(
        self, tx: Connection, rule: PostingRule, occurrences: Sequence[tuple[Correlation, Occurrence]]
    ) -> None:
        """Post what happened to money at the processor by one rule, as one group inside `tx`.

        Raises:
            Rejected: why the first refused one cannot be posted; the caller then tries each alone.
        """
        await self._post(tx, lambda chart, occurrence: (rule(chart, occurrence),), occurrences)

    async def post_movements(
        self, tx: Connection, rule: MovementRule, movements: Sequence[tuple[Correlation, Movement]]
    ) -> None:
        """Post what moved at the processor by one rule, as one group inside `tx`.

        What has to be booked against SUSPENSE is logged and counted, a person decides where it belongs; so is an exchange at a
        rate that is far from the one that is known.

        Raises:
            Rejected: why the first refused one cannot be posted; the caller then tries each alone.
        """
        await self._post(tx, rule, movements)
        if rule is not movement_entries:
            return
        for correlation, moved in movements:
            if moved.counterpart is Role.SUSPENSE:
                metrics.SUSPENDED.labels(moved.kind.value).inc()
                log.warning(
                    "movement.suspended",
                    tenant_id=correlation.tenant_id,
                    kind=moved.kind,
                    gateway_ref=moved.gateway_ref,
                    amount_minor=moved.amount_minor,
                    currency=moved.currency,
                )
            if moved.source_currency and self._quote_of is not None:
                quoted = await self._quote_of(
                    tx, correlation.tenant_id, moved.source_currency, moved.currency, moved.occurred_at
                )
                if quoted is not None and is_far_off(moved, quoted, percent=self._band_percent):
                    metrics.EXCHANGES_FAR_OFF.inc()
                    log.error(
                        "movement.exchange_far_off",
                        tenant_id=correlation.tenant_id,
                        gateway_ref=moved.gateway_ref,
                        sold_minor=moved.source_amount_minor,
                        sold_currency=moved.source_currency,
                        bought_minor=moved.amount_minor,
                        bought_currency=moved.currency,
                        known_rate=str(quoted.shown),
                    )

    async def _post[H](
        self,
        tx: Connection,
        rule: Callable[[Chart, H], Sequence[Entry]],
        happenings: Sequence[tuple[Correlation, H]],
    ) -> None:
        if not happenings:
            return
        tenant_ids = (correlation.tenant_id for correlation, _ in happenings)
        charts = await self._charts.of(tx, tenant_ids, opened_at=self._clock.now())
        bookings = [
            Booking(entry=entry, correlation=correlation)
            for correlation, happened in happenings
            for entry in rule(charts[correlation.tenant_id], happened)
        ]
        if self._cache is None:
            outcomes = await post_locked(tx, bookings, clock=self._clock)
        else:
            outcomes = await post_optimistically(tx, bookings, clock=self._clock, cache=self._cache)
        refused = next((outcome for outcome in outcomes if isinstance(outcome, Refused)), None)
        if refused is None or len(happenings) == 1:
            count(bookings, outcomes)
        if refused is not None:
            raise refused.reason
        # An event that arrives under another id than the first time: its entry is published again for whoever lacks it.
        await publish(
            tx,
            [
                outbox.entry_posted(booking.entry, posted_at=outcome.posted_at, correlation=booking.correlation)
                for booking, outcome in zip(bookings, outcomes, strict=True)
                if isinstance(outcome, Replayed)
            ],
        )


CHANGES_MAX = 100
"""Changes of a role that are shown at most."""

ACTOR_LENGTH_MAX = 320
"""As long as an e-mail address can be."""


class RoleCommands:
    """The configuration of the posting rules, tenant by tenant."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._charts = Charts()

    async def every(self, tenant_id: str) -> list[contract.AccountRole]:
        """Return which account plays each role, in the order of the rules."""
        async with self._database.transaction() as tx:
            return await self._shown(tx, tenant_id, list(ROLES))

    async def history(self, tenant_id: str, role: Role) -> contract.AccountRoleHistory:
        """Return which account plays a role, and its latest changes, newest first."""
        async with self._database.transaction() as tx:
            (now,) = await self._shown(tx, tenant_id, [role])
            changes = await role_changes(tx, tenant_id, role, limit=CHANGES_MAX)
            codes = await self._accounts(tx, tenant_id)
        return contract.AccountRoleHistory(
            role=now,
            changes=[
                contract.AccountRoleChange(
                    revision=change.revision,
                    account=codes[change.account_id].code,
                    changed_at=change.changed_at,
                    changed_by=change.changed_by,
                )
                for change in changes
            ],
        )

    async def assign(self, request: contract.AssignAccountRole) -> contract.AccountRole:
        """Let an account play a role in every entry that is posted from now on; what stands in the books stays.

        When this returns, no process posts by the account before: see `services.ledger.chart`. Requested again, nothing changes.

        Raises:
            AccountUnknown: when the chart has no account of this code.
            RoleUnfit: when the account's type does not fit the role.
            RoleConflict: when the account plays a role that a rule sets against this one.
            RoleActorInvalid: when nobody is named as its author.
            Unavailable: when a group that is being posted takes too long.
        """
        if not 1 <= len(request.actor) <= ACTOR_LENGTH_MAX:
            raise RoleActorInvalid(f"whoever changes a role must have a name of 1 to {ACTOR_LENGTH_MAX} characters")
        tenant_id, now = request.tenant_id, self._clock.now()
        async with self._database.transaction() as tx:
            await lock_roles(tx, tenant_id)
            chart = (await self._charts.of(tx, [tenant_id], opened_at=now))[tenant_id]
            account = await account_by_code(tx, tenant_id, request.account)
            if account is None:
                sentence = f"the chart has no account {request.account}"
                raise AccountUnknown(sentence, errors=(("/account", "must be the code of an account in the chart"),))
            if chart.roles[request.role] != account.id:
                check_role(request.role, account, chart)
                revisions = await hold_roles(tx, [tenant_id])
                await add_role_change(
                    tx,
                    RoleChange(
                        tenant_id=tenant_id,
                        revision=revisions.get(tenant_id, 0) + 1,
                        role=request.role,
                        account_id=account.id,
                        changed_at=now,
                        changed_by=request.actor,
                    ),
                )
            (shown,) = await self._shown(tx, tenant_id, [request.role])
        return shown

    async def _shown(self, tx: Connection, tenant_id: str, roles: list[Role]) -> list[contract.AccountRole]:
        chart = (await self._charts.of(tx, [tenant_id], opened_at=self._clock.now()))[tenant_id]
        accounts = await self._accounts(tx, tenant_id)
        changes = (await assigned_roles(tx, [tenant_id])).get(tenant_id, {})
        shown = []
        for role in roles:
            account, change = accounts[chart.roles[role]], changes.get(role)
            shown.append(
                contract.AccountRole(
                    role=role,
                    account=account.code,
                    account_type=account.account_type,
                    account_types=list(ROLES[role].account_types),
                    is_default=account.is_default,
                    changed_at=None if change is None else change.changed_at,
                    changed_by=None if change is None else change.changed_by,
                )
            )
        return shown

    async def _accounts(self, tx: Connection, tenant_id: str) -> dict[object, Account]:
        return {account.id: account for account in await chart_of(tx, tenant_id)}
