"""Payment intents are created and confirmed: one round trip each, since most payments need nothing more of a client."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.contracts.gateway_methods import BillingDetails, PaymentMethodType, encode_billing_details
from libs.common.db import Database, GroupCommit, run_again
from libs.common.ids import new_id
from libs.common.observability.correlation import Correlation
from services.api import metrics
from services.api.customers import sql as customers
from services.api.errors import ConfirmContended, CustomerUnknown, PaymentIntentNotFound
from services.api.idempotency import Answer, Claim, KeyRow, key_row, keys
from services.api.payments import domain
from services.api.payments.commands.outcomes import Render
from services.api.payments.commands.publications import publications_of
from services.api.payments.commands.records import audit_of, events_of
from services.api.payments.commands.waiting import Answers
from services.api.payments.domain import CaptureMethod, Decision, Fact, PaymentIntent, Status
from services.api.payments.sql import groups, intents
from services.api.payments.sql.groups import Written

_CONFIRM_TRIES_MAX = 3
"""How often a confirmation is decided anew because somebody else changed the intent meanwhile."""
_FRESH_MAX = 1000
"""Intents just created that are remembered until they are confirmed: most are, within moments, and by the same client. One
read less of three round trips to the database."""
_GROUPS: dict[str, Any] = {
    "group_max": 32,
    "waiting_max": 1000,
    "writers": 1,
    "isolates": True,
    "splits": True,
    "drops_cancelled": True,
}
"""How many requests are committed together at most, and how many may wait: as many as this process has in progress."""
_OK, _ACCEPTED = 200, 202


class NewIntent(msgspec.Struct, frozen=True, kw_only=True):
    """What a merchant requests, already validated."""

    amount_minor: int
    """Above zero, in minor units of `currency`."""
    currency: str
    """ISO 4217 code, upper case."""
    customer_ref: str
    """1 to 128 characters."""
    description: str | None
    """Up to 500 characters."""
    metadata: dict[str, str]
    """Up to 50 pairs."""
    capture_method: CaptureMethod = CaptureMethod.AUTOMATIC
    """When held funds are taken."""
    payment_method: str = ""
    """The processor's token of what is charged, or empty."""
    return_url: str = ""
    """Where the customer comes back to, or empty."""
    payment_method_type: PaymentMethodType = PaymentMethodType.CARD
    """How the customer pays."""
    billing_details: BillingDetails | None = None
    """Who pays, where the payment method type needs to know."""
    customer_id: UUID | None = None
    """The customer whose payment it is."""
    saved_method_id: UUID | None = None
    """The customer's saved payment method that is charged."""
    off_session: bool = False
    """Whether the customer is not there to prove anything."""

    @property
    def meaning(self) -> dict[str, object]:
        """What version 0.1 made its fingerprint of; a new field does not belong here."""
        return {
            "amount_minor": self.amount_minor,
            "currency": self.currency,
            "customer_ref": self.customer_ref,
            "description": self.description,
            "metadata": self.metadata,
            "capture_method": self.capture_method,
            "payment_method": self.payment_method,
        }


def intent_of_request(new: NewIntent, *, tenant_id: str, intent_id: UUID, at: datetime) -> PaymentIntent:
    """Return the intent that a request creates."""
    return PaymentIntent(
        tenant_id=tenant_id,
        id=intent_id,
        amount_minor=new.amount_minor,
        currency=new.currency,
        status=Status.CREATED,
        customer_ref=new.customer_ref,
        description=new.description,
        metadata=new.metadata,
        capture_method=new.capture_method,
        payment_method=new.payment_method,
        return_url=new.return_url,
        payment_method_type=new.payment_method_type,
        billing_details=encode_billing_details(new.billing_details),
        customer_id=new.customer_id,
        saved_method_id=new.saved_method_id,
        off_session=new.off_session,
        created_at=at,
        updated_at=at,
    )


class PaymentCommands:
    """Decides about payment intents; every decision is saved with its key, its audit line and its messages.

    Requests that arrive while others are being committed are committed together; alone, one is committed at once. A request
    that ends while its group is committed is committed all the same, and its key shows it; one that ends before that has
    done nothing, so that nobody is charged long after the answer was that it took too long.
    """

    def __init__(self, database: Database, *, clock: Clock, render: Render, answers: Answers) -> None:
        self._database = database
        self._clock = clock
        self._render = render
        self._answers = answers
        self._fresh: dict[UUID, PaymentIntent] = {}
        self._creating: GroupCommit[Written, bool] = GroupCommit(partial(_in_group, database, groups.create), **_GROUPS)
        self._confirming: GroupCommit[Written, bool] = GroupCommit(
            partial(_in_group, database, groups.confirm), **_GROUPS
        )

    async def create(
        self, new: NewIntent, *, action: str, claim: Claim, actor: str, correlation: Correlation
    ) -> Answer | None:
        """Create an intent, with whoever else creates one; None when another request holds the key."""
        intent = intent_of_request(
            new, tenant_id=claim.tenant_id, intent_id=new_id(claim.claimed_at), at=claim.claimed_at
        )
        answer = Answer(_OK, self._render(intent))
        if not await self._creating.submit(
            _written(
                Decision(intent, (Fact.CREATED,)),
                key_row(claim, subject_id=intent.id, answer=answer),
                action=action,
                actor=actor,
                correlation=correlation,
            )
        ):
            return None
        self._fresh[intent.id] = intent
        if len(self._fresh) > _FRESH_MAX:
            del self._fresh[next(iter(self._fresh))]
        metrics.created(intent.currency).inc()
        metrics.transition(intent.status.value).inc()
        return answer

    async def confirm(
        self,
        intent_id: UUID,
        *,
        action: str,
        claim: Claim,
        actor: str,
        correlation: Correlation,
        respond_async: bool,
        return_url: str = "",
    ) -> Answer | None:
        """Begin to collect and wait, bounded, for the issuer's outcome; None when another request holds the key.

        Confirming is idempotent by state: an intent that is already in progress or done is answered as it stands.

        Raises:
            PaymentIntentNotFound: when the tenant has no such intent.
            CustomerUnknown: when the customer whose saved payment method is charged was deleted.
            ConfirmContended: when others changed it each time.
        """
        for _ in range(_CONFIRM_TRIES_MAX):
            intent = self._fresh.pop(intent_id, None)
            # As it was created nobody has confirmed it, under this key or any; if somebody has, its version shows it.
            if intent is None or intent.tenant_id != claim.tenant_id:
                found = await intents.get_with_key(self._database, intent_id, claim)
                if found is None:
                    raise PaymentIntentNotFound
                intent, key = found
                if key is not None and key.expires_at > claim.claimed_at:
                    return None
            if intent.status is Status.CREATED and intent.saved_method_id is not None:
                await self._require_customer(intent)
            decision = domain.confirm(intent, at=self._clock.now(), return_url=return_url)
            if not decision.changed:
                return await self._answer_as_it_stands(intent, claim)
            accepted = Answer(_ACCEPTED, self._render(decision.intent))
            # Entered before the key is written: an answer that comes at once is not missed.
            with self._answers.expecting(claim, intent_id) as waiting:
                if await self._begin(
                    decision,
                    claim,
                    accepted if respond_async else None,
                    action=action,
                    actor=actor,
                    correlation=correlation,
                ):
                    if respond_async:
                        return accepted
                    return await self._answers.wait(waiting, claim, since=decision.intent.version, otherwise=accepted)
        raise ConfirmContended

    async def resume_confirm(self, intent_id: UUID, *, claim: Claim) -> Answer:
        """Wait for the answer to a confirmation whose first request has gone, and whose key `claim` has taken over.

        Raises:
            PaymentIntentNotFound: when the tenant has no such intent.
        """
        intent = await intents.get(self._database, claim.tenant_id, intent_id)
        if intent is None:
            raise PaymentIntentNotFound
        status = _ACCEPTED if intent.status is Status.PROCESSING else _OK
        with self._answers.expecting(claim, intent_id) as waiting:
            otherwise = Answer(status, self._render(intent))
            return await self._answers.wait(waiting, claim, since=intent.version, otherwise=otherwise)

    async def _require_customer(self, intent: PaymentIntent) -> None:
        """Refuse to charge what was saved of a customer who is deleted; the gateway may not have handled that yet."""
        if intent.customer_id is not None and (
            await customers.get(self._database, intent.tenant_id, intent.customer_id) is None
        ):
            raise CustomerUnknown

    async def _begin(
        self,
        decision: Decision,
        claim: Claim,
        answer: Answer | None,
        *,
        action: str,
        actor: str,
        correlation: Correlation,
    ) -> bool:
        intent = decision.intent
        written = _written(
            decision,
            key_row(claim, subject_id=intent.id, answer=answer),
            action=action,
            actor=actor,
            correlation=correlation,
        )
        # What the group has left out may only have been locked.
        begun = await self._confirming.submit(written) or await groups.confirm_locked(self._database, written)
        if begun:
            metrics.INTENTS_CONFIRMED.inc()
            metrics.transition(intent.status.value).inc()
        return begun

    async def _answer_as_it_stands(self, intent: PaymentIntent, claim: Claim) -> Answer | None:
        answer = Answer(_ACCEPTED if intent.status is Status.PROCESSING else _OK, self._render(intent))
        kept = await keys.keep(self._database, claim, subject_id=intent.id, answer=answer)
        return answer if kept else None


def _written(decision: Decision, key: KeyRow, *, action: str, actor: str, correlation: Correlation) -> Written:
    intent = decision.intent
    publications = publications_of(decision, at=intent.updated_at, correlation=correlation)
    return Written(
        intent=intent,
        key_row=key,
        audit=audit_of(intent, action, actor=actor, correlation=correlation, at=intent.updated_at),
        publications=publications,
        events=events_of(intent, publications, actor=actor, cause_id=None),
    )


async def _in_group(
    database: Database,
    write: Callable[[Database, Sequence[Written]], Awaitable[list[bool]]],
    group: Sequence[Written],
) -> list[bool]:
    return await run_again(lambda: write(database, group))
