"""Funds that are to be released, and what comes of a refusal to release or to take them."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.gateway_methods import PaymentMethodType
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.notices import Notices
from services.gateway.operations import AttemptStatus
from services.gateway.operations.domain.changes import RELEASED_AGAIN_AFTER
from services.gateway.processors.port import (
    Applied,
    Approved,
    CapturedNotice,
    Declined,
    DeclinedNotice,
    DeclineReason,
    Operation,
    RequiresAction,
    Unknown,
    UnknownReason,
    VoidedNotice,
)
from tests.support.counting import CountingProcessor
from tests.support.gateway_process import (
    PATIENCE,
    Fixed,
    Gateway,
    again,
    authorized,
)


async def test_refused_void_is_requested_again(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    fixed, intent = Fixed(book), new_id()
    gateway = Gateway(database, clock, tenant_id, fixed)
    ref = await authorized(gateway, 15_050, intent)
    fixed.answers["void"] = Declined(reason=DeclineReason.PROCESSOR_REFUSED, detail="Not now.", is_still_held=True)
    first = gateway.void_command(15_050, intent=intent, gateway_ref=ref)
    await gateway.commands.void(first)
    await gateway.commands.void(first)
    fixed.answers = {}
    await gateway.commands.void(gateway.void_command(15_050, intent=intent, gateway_ref=ref))
    contracts = [contract.rpartition(":")[2] for contract, _ in await gateway.published(intent)]
    assert contracts == ["payment.authorized", "payment.void_failed", "payment.voided"]


@pytest.mark.parametrize("refusals", [0, 2])
async def test_capture_that_is_refused_releases_the_hold_however_often_it_takes(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor, refusals: int
) -> None:
    fixed, intent = Fixed(book), new_id()
    gateway = Gateway(database, clock, tenant_id, fixed)
    ref = await authorized(gateway, 15_050, intent)
    held = Declined(reason=DeclineReason.PROCESSOR_REFUSED, detail="Not now.", is_still_held=True)
    fixed.answers = {"capture": held, "void": held}
    await gateway.commands.capture(gateway.capture_command(15_050, intent=intent, gateway_ref=ref))
    for _ in range(refusals):
        assert await gateway.commands.release_expired(limit=1_000) == 1
        await gateway.resolve_after(timedelta(seconds=1))
        clock.advance(RELEASED_AGAIN_AFTER)
    fixed.answers = {}
    assert await gateway.commands.release_expired(limit=1_000) == 1
    await gateway.resolve_after(timedelta(seconds=1))
    assert await gateway.commands.release_expired(limit=1_000) == 0
    attempts = await gateway.attempts(intent)
    expiries = [attempt.status for attempt in attempts if attempt.operation is Operation.EXPIRE]
    assert expiries == [AttemptStatus.DECLINED] * refusals + [AttemptStatus.APPROVED]
    contracts = [contract.rpartition(":")[2] for contract, _ in await gateway.published(intent)]
    assert contracts == ["payment.authorized", "payment.capture_failed", "payment.authorization_expired"]


@pytest.mark.parametrize("is_being_released", [False, True])
async def test_capture_that_was_refused_and_made_by_hand_counts_once(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor, is_being_released: bool
) -> None:
    fixed, intent = Fixed(book), new_id()
    gateway = Gateway(database, clock, tenant_id, fixed)
    ref = await authorized(gateway, 15_050, intent)
    held = Declined(reason=DeclineReason.PROCESSOR_REFUSED, detail="Not now.", is_still_held=True)
    fixed.answers = {"capture": held, "void": Declined(reason=DeclineReason.ALREADY_CAPTURED, detail="Captured.")}
    await gateway.commands.capture(gateway.capture_command(15_050, intent=intent, gateway_ref=ref))
    if is_being_released:
        assert await gateway.commands.release_expired(limit=1_000) == 1
    notices = Notices(database=database, clock=clock)
    common: dict[str, Any] = {
        "tenant_id": tenant_id,
        "payment_intent_id": intent,
        "processor": "sandbox",
        "gateway_ref": ref,
        "happened_at": clock.now(),
    }
    by_hand = CapturedNotice(**common, amount_minor=9_000)
    applied = await asyncio.gather(*(notices.apply(by_hand) for _ in range(3)))
    assert sorted(applied) == [Applied.APPLIED, Applied.KNOWN, Applied.KNOWN]
    await gateway.resolve_after(timedelta(seconds=1))
    clock.advance(RELEASED_AGAIN_AFTER)
    assert await gateway.commands.release_expired(limit=1_000) == 0
    assert await notices.apply(VoidedNotice(**common)) is Applied.CONTRADICTS
    [taken] = [a for a in await gateway.attempts(intent) if a.operation is Operation.CAPTURE]
    assert (taken.status, taken.amount_minor, taken.reason) == (AttemptStatus.APPROVED, 9_000, "")
    published = await gateway.published(intent)
    names = [contract.rpartition(":")[2] for contract, _ in published]
    assert names == ["payment.authorized", "payment.capture_failed", "payment.captured"]
    assert published[-1][1]["amount_minor"] == 9_000


async def test_repeated_void_is_not_answered_with_the_refusal_of_an_earlier_one(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    fixed, intent = Fixed(book), new_id()
    gateway = Gateway(database, clock, tenant_id, fixed)
    ref = await authorized(gateway, 15_050, intent)
    fixed.answers["void"] = Declined(reason=DeclineReason.PROCESSOR_REFUSED, detail="Not now.", is_still_held=True)
    await gateway.commands.void(gateway.void_command(15_050, intent=intent, gateway_ref=ref))
    fixed.answers = {}
    # The second one is lost; its repetition is the first that arrives.
    await gateway.commands.void(again(gateway.void_command(15_050, intent=intent, gateway_ref=ref)))
    contracts = [contract.rpartition(":")[2] for contract, _ in await gateway.published(intent)]
    assert contracts[-1] == "payment.voided"
    assert contracts.count("payment.void_failed") == 1


async def test_hold_is_released_when_the_void_that_was_awaited_is_refused(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    fixed, intent = Fixed(book), new_id()
    gateway = Gateway(database, clock, tenant_id, fixed)
    ref = await authorized(gateway, 15_050, intent)
    held = Declined(reason=DeclineReason.PROCESSOR_REFUSED, detail="Not now.", is_still_held=True)
    fixed.answers = {"capture": held, "void": Unknown(reason=UnknownReason.TIMEOUT)}
    await gateway.commands.capture(gateway.capture_command(15_050, intent=intent, gateway_ref=ref))
    await gateway.commands.void(gateway.void_command(15_050, intent=intent, gateway_ref=ref))
    assert await gateway.commands.release_expired(limit=1_000) == 1
    fixed.answers = {"void": held}
    await gateway.resolve_after(PATIENCE.ages[0])
    fixed.answers = {}
    clock.advance(RELEASED_AGAIN_AFTER)
    assert await gateway.commands.release_expired(limit=1_000) == 1
    await gateway.resolve_after(timedelta(seconds=1))
    [release] = [a for a in await gateway.attempts(intent) if a.operation is Operation.EXPIRE]
    assert release.status is AttemptStatus.APPROVED


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (None, "payment.voided"),
        (Declined(reason=DeclineReason.PROCESSOR_REFUSED, detail="It has expired."), "payment.void_failed"),
    ],
    ids=["cancelled", "refused"],
)
@pytest.mark.parametrize("is_paid", [False, True], ids=["unpaid", "paid after that"])
async def test_slip_that_expires_while_its_void_is_in_progress_ends_both(
    database: Database,
    clock: ManualClock,
    tenant_id: str,
    book: CountingProcessor,
    answer: Declined | None,
    end: str,
    is_paid: bool,
) -> None:
    fixed, intent = Fixed(book), new_id()
    gateway = Gateway(database, clock, tenant_id, fixed)
    fixed.answers = {
        "authorize": RequiresAction(gateway_ref="pi_1"),
        "void": Unknown(reason=UnknownReason.TIMEOUT),
    }
    command = gateway.authorize_command(15_050, intent=intent)
    body = msgspec.structs.replace(command.body, payment_method_type=PaymentMethodType.PIX)
    await gateway.commands.authorize(msgspec.structs.replace(command, body=body))
    await gateway.commands.void(gateway.void_command(15_050, intent=intent, gateway_ref="pi_1"))
    notices = Notices(database=database, clock=clock)
    common: dict[str, Any] = {
        "tenant_id": tenant_id,
        "payment_intent_id": intent,
        "processor": "sandbox",
        "gateway_ref": "pi_1",
        "happened_at": clock.now(),
    }
    unpaid = DeclinedNotice(**common, reason=DeclineReason.PAYMENT_EXPIRED, detail="Nobody paid.")
    assert [await notices.apply(unpaid) for _ in range(2)] == [Applied.APPLIED, Applied.KNOWN]
    fixed.answers["void"] = answer or Approved(gateway_ref="pi_1", approved_at=clock.now())
    await gateway.resolve_after(PATIENCE.ages[0])
    names = ["payment.action_required", "payment.authorization_expired", end]
    if is_paid and answer is not None:
        # What could not be cancelled may be paid in the last moment: the money is there, and is taken once.
        for _ in range(2):
            await notices.apply(CapturedNotice(**common, amount_minor=15_050))
        names += ["payment.authorized", "payment.captured"]
    assert [contract.rpartition(":")[2] for contract, _ in await gateway.published(intent)] == names
