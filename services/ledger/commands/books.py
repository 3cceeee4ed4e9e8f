"""To post what happened, and to open accounts."""

from collections.abc import Sequence

from libs.common.clock import Clock
from libs.common.contracts import ledger as contract
from libs.common.db import Connection, Database
from libs.common.messaging import publish
from libs.common.observability.correlation import Correlation
from services.ledger import outbox, posting, rules, store
from services.ledger.chart import Charts
from services.ledger.domain import Account, check_account
from services.ledger.errors import AccountCodeTaken, AccountIdTaken


class Commands:
    """The decisions of one ledger process; several processes may decide about the same tenants."""

    def __init__(self, database: Database, *, clock: Clock, cache: posting.BalanceCache | None = None) -> None:
        self._database = database
        self._clock = clock
        self._cache = cache
        self._charts = Charts()

    async def post_occurrences(
        self, tx: Connection, rule: rules.PostingRule, occurrences: Sequence[tuple[Correlation, rules.Occurrence]]
    ) -> None:
        """Post what happened to money at the processor by one rule, as one group inside `tx`.

        Raises:
            Rejected: why the first refused one cannot be posted; the caller then tries each alone.
        """
        if not occurrences:
            return
        tenant_ids = (correlation.tenant_id for correlation, _ in occurrences)
        charts = await self._charts.of(tx, tenant_ids, opened_at=self._clock.now())
        bookings = [
            posting.Booking(entry=rule(charts[correlation.tenant_id], occurrence), correlation=correlation)
            for correlation, occurrence in occurrences
        ]
        outcomes = await posting.post(tx, bookings, clock=self._clock, cache=self._cache)
        refused = next((outcome for outcome in outcomes if isinstance(outcome, posting.Refused)), None)
        if refused is None or len(bookings) == 1:
            posting.count(bookings, outcomes)
        if refused is not None:
            raise refused.reason
        # An event that arrives under another id than the first time: whoever lacks the entry is told of it again.
        await publish(
            tx,
            [
                outbox.entry_posted(booking.entry, posted_at=outcome.posted_at, correlation=booking.correlation)
                for booking, outcome in zip(bookings, outcomes, strict=True)
                if isinstance(outcome, posting.Replayed)
            ],
        )

    async def open_charts(self, tx: Connection, tenant_ids: Sequence[str]) -> None:
        """Open the default accounts of tenants that have none.

        Raises:
            Invalid: when a tenant's id cannot be one.
        """
        await self._charts.of(tx, tenant_ids, opened_at=self._clock.now())

    async def open_account(self, request: contract.OpenAccount) -> Account:
        """Open an account in a tenant's chart; the same id and content again is success.

        Raises:
            AccountInvalid: when the code, the label, a limit or a currency cannot be used.
            AccountCodeTaken: when the chart has an account of this code.
            AccountIdTaken: when the chart has an account of this id with other content.
        """
        account = check_account(
            Account(
                tenant_id=request.tenant_id,
                id=request.account_id,
                code=request.code,
                label=request.label,
                account_type=request.account_type,
                floor_minor=request.floor_minor,
                ceiling_minor=request.ceiling_minor,
                currencies=None if request.currencies is None else tuple(sorted(set(request.currencies))),
            )
        )
        async with self._database.transaction() as tx:
            # The default accounts come first, so that nobody takes the code of one before it is opened.
            await self._charts.of(tx, [account.tenant_id], opened_at=self._clock.now())
            if await store.open_accounts(tx, [account], opened_at=self._clock.now()):
                return account
            standing = await store.account_by_id(tx, account.tenant_id, account.id)
        if standing == account:
            return account
        if standing is not None:
            raise AccountIdTaken(f"account id {account.id} already exists for tenant with other content")
        raise AccountCodeTaken(f"account code {account.code} already exists for tenant")
