"""Captures, refunds and disputes that a processor shows otherwise than our records take effect as if their events had come.

What our records have already makes no event, so that a round over thousands is silent. The id of an event says what was shown and
what we had: the same again is the same event, however often the list is read.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from libs.common.contracts.gateway_movements import MovementKind
from libs.common.db import Database
from libs.common.ids import parse_id
from libs.common.money import UnsupportedCurrency
from libs.common.observability.logging import get_logger
from services.gateway import metrics
from services.gateway.accounts import config_of
from services.gateway.movements import StatementAccount
from services.gateway.notices.sql import adopting as adopting_sql
from services.gateway.notices.sql.adopting import KnownDispute, KnownRefund
from services.gateway.operations import AttemptStatus
from services.gateway.processors.port import DisputeState
from services.gateway.processors.port.reading import StatementMovement
from services.gateway.processors.stripe import API_VERSION, UnsupportedAmount, events

log = get_logger("gateway.adopting")

type KeepEvent = Callable[[str, str, str], Awaitable[None]]
"""Stores an event as a webhook would: its body, the tenant, the configuration."""

_YOUNG = timedelta(minutes=5)
"""What was made so shortly before is left to its event, and to the next round."""
_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, UnsupportedAmount, UnsupportedCurrency)
_FAILED = frozenset({AttemptStatus.DECLINED, AttemptStatus.REVERSED})
_SUCCEEDED = frozenset({AttemptStatus.APPROVED, AttemptStatus.REVERSED})


class _Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a list shows otherwise than we have it."""

    tenant_id: str
    processor: str
    kind: str
    found: dict[str, Any]
    we_had: str

    @property
    def event_id(self) -> str:
        """Of what is shown, and of what we had: each pair is one event."""
        shown = f"{self.found.get('status')}:{self.found.get('amount')}:{self.we_had}"
        return f"read_{self.found['id']}_{hashlib.sha256(shown.encode()).hexdigest()[:16]}"


class Adoption:
    """Compares what a processor shows with our records."""

    def __init__(self, database: Database, *, keep: KeepEvent) -> None:
        self._database = database
        self._keep = keep

    async def __call__(
        self, account: StatementAccount, found: Sequence[dict[str, Any]], *, is_dispute: bool, at: datetime
    ) -> int:
        """Keep an event of each refund, or dispute, that our records have otherwise; returns how many could not be understood."""
        youngest = (at - _YOUNG).timestamp()
        old = [each for each in found if not each.get("created", 0) > youngest]
        otherwise, unreadable = await (self._disputes if is_dispute else self._refunds)(account, old)
        await self._keep_new(account, otherwise, at=at, list_name="disputes" if is_dispute else "refunds")
        return unreadable

    async def captures(self, account: StatementAccount, moved: Sequence[StatementMovement], *, at: datetime) -> None:
        """Keep an event of each payment whose charge the statement has, and of which nobody has reported that it was captured.

        It was paid late, or captured by hand, or our own call has lost its answer; its event was lost, or there is no endpoint.
        """
        old = {
            each.payment_intent_id: each
            for each in moved
            if each.kind is MovementKind.CHARGE
            and each.payment_intent_id is not None
            and account.booked_from <= each.created_at <= at - _YOUNG
        }
        if not old:
            return
        rows = await adopting_sql.uncaptured(
            self._database, account.account_id, is_live=account.is_live, intents=[*old]
        )
        otherwise = [
            _Shown(
                tenant_id=row.tenant_id,
                processor=row.processor,
                kind="charge.captured",
                found=charge,
                we_had=f"{row.status}:{row.captures}",
            )
            for row in rows
            # A hold that ended has a charge in the statement as well, beside what takes it back.
            if isinstance(charge := msgspec.json.decode(old[row.payment_intent_id].raw).get("source"), dict)
            and charge.get("captured")
        ]
        await self._keep_new(account, otherwise, at=at, list_name="charges")

    async def _keep_new(
        self, account: StatementAccount, otherwise: Sequence[_Shown], *, at: datetime, list_name: str
    ) -> None:
        if not otherwise:
            return
        kept = await adopting_sql.kept(
            self._database, [each.event_id for each in otherwise], processors=[each.processor for each in otherwise]
        )
        for each in otherwise:
            if each.event_id in kept:
                continue
            event = {
                "id": each.event_id,
                "object": "event",
                "api_version": API_VERSION,
                "type": each.kind,
                "created": int(at.timestamp()),
                "data": {"object": each.found},
            }
            # The account's owner receives what is of no configuration in particular.
            tenant_id = each.tenant_id if config_of(each.processor) else account.tenant_id
            await self._keep(msgspec.json.encode(event).decode(), tenant_id, each.processor)
            metrics.STATEMENT_ADOPTED.labels(list_name).inc()
            log.warning("statement.event_was_lost", event_id=each.event_id, type=each.kind, tenant_id=tenant_id)

    async def _refunds(self, account: StatementAccount, found: Sequence[dict[str, Any]]) -> tuple[list[_Shown], int]:
        """One that somebody has made by hand is adopted with its movement."""
        named = {}
        unreadable = 0
        for each in found:
            try:
                metadata = each.get("metadata") or {}
                refund_id = parse_id(str(metadata.get("refund_id") or ""))
                intent_id = parse_id(str(metadata.get("payment_intent_id") or ""))
                status, _ = str(each["status"]), str(each["id"])
            except _UNREADABLE:
                log.error("statement.unreadable", account=account.account_id, exc_info=True)
                unreadable += 1
                continue
            if refund_id is not None and intent_id is not None:
                named[refund_id] = (intent_id, status, each)
        if not named:
            return [], unreadable
        known = await adopting_sql.refunds(
            self._database,
            account.account_id,
            is_live=account.is_live,
            intents=[intent_id for intent_id, _, _ in named.values()],
            refunds=[*named],
        )
        return [
            _Shown(
                tenant_id=known[refund_id].tenant_id,
                processor=known[refund_id].processor,
                kind="refund.updated",
                found=each,
                we_had=known[refund_id].status,
            )
            for refund_id, (_, status, each) in named.items()
            if refund_id in known and _is_refund_otherwise(status, known[refund_id])
        ], unreadable

    async def _disputes(self, account: StatementAccount, found: Sequence[dict[str, Any]]) -> tuple[list[_Shown], int]:
        read = []
        unreadable = 0
        for each in found:
            try:
                payment = each.get("payment_intent")
                read.append((each, str(each["id"]), payment, events.dispute_state(each), events.amount_of(each)))
            except _UNREADABLE:
                log.error("statement.unreadable", account=account.account_id, exc_info=True)
                unreadable += 1
        payments = [payment for _, _, payment, _, _ in read if isinstance(payment, str)]
        if not payments:
            return [], unreadable
        rows = await adopting_sql.disputes(
            self._database, account.account_id, is_live=account.is_live, payments=payments
        )
        owners = {row.payment_ref: row for row in rows}
        known = {row.dispute_ref: row for row in rows if row.dispute_ref}
        return [
            _Shown(
                tenant_id=owners[payment].tenant_id,
                processor=owners[payment].processor,
                kind="charge.dispute.updated",
                found=each,
                we_had="" if ref not in known else f"{known[ref].state}:{known[ref].amount_minor}",
            )
            for each, ref, payment, state, amount_minor in read
            if payment in owners and _is_dispute_otherwise(state, amount_minor, known.get(ref))
        ], unreadable


def _is_refund_otherwise(status: str, known: KnownRefund) -> bool:
    match status:
        case "succeeded":
            # What we hold declined contradicts it, unless Stripe has reported that since; the event finds that out.
            return known.status not in _SUCCEEDED
        case "failed" | "canceled":
            return known.status not in _FAILED
        case _:
            return False


def _is_dispute_otherwise(state: DisputeState | None, amount_minor: int, known: KnownDispute | None) -> bool:
    if known is None or state is None:
        # A status that means nothing to us is for a person, as where an event brings it.
        return True
    return state is not known.state or (state is DisputeState.OPEN and amount_minor != known.amount_minor)
