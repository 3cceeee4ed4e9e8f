"""An operator decides what even reading cannot, and never against what Stripe shows."""

import asyncio
import getpass
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.db import Database
from libs.common.errors import Conflict, Invalid, NotFound
from libs.common.ids import new_id
from services.gateway.app import resolve
from services.gateway.operations import AttemptStatus
from services.gateway.processors.port import DeclineReason, Operation
from services.gateway.settings import Settings, StripeSettings
from tests.support.databases import TestDatabase
from tests.support.gateway_process import PATIENCE
from tests.support.resolving import Operator, unchanged
from tests.support.stripe import API_KEY, Place, a_place

WORDS = {
    Operation.AUTHORIZE: "held",
    Operation.CAPTURE: "taken",
    Operation.VOID: "released",
    Operation.EXPIRE: "released",
    Operation.CLOSE: "released",
    Operation.REFUND: "refunded",
}
REFERENCES = {Operation.REFUND: "re_x"}
DONE = {
    Operation.AUTHORIZE: "payment.authorized",
    Operation.CAPTURE: "payment.captured",
    Operation.VOID: "payment.voided",
    Operation.EXPIRE: "payment.authorization_expired",
    Operation.CLOSE: None,
    Operation.REFUND: "refund.succeeded",
}
NOT_DONE = {
    Operation.AUTHORIZE: "payment.declined",
    Operation.CAPTURE: "payment.capture_failed",
    Operation.VOID: "payment.void_failed",
    Operation.EXPIRE: None,
    Operation.CLOSE: None,
    Operation.REFUND: "refund.failed",
}


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with a_place() as running:
        yield running


@pytest.fixture
def operator(database: Database, clock: ManualClock, tenant_id: str, place: Place) -> Operator:
    return Operator(database, clock, tenant_id, place)


@pytest.mark.parametrize("operation", [*Operation])
@pytest.mark.parametrize("is_read", [True, False], ids=["read", "unread"])
async def test_each_operation_ends_as_done_by_its_word(operator: Operator, operation: Operation, is_read: bool) -> None:
    attempt = await operator.left(operation, is_done=True)
    before = await operator.published(attempt)
    assert attempt.status is AttemptStatus.UNKNOWN
    operator.lossy.is_read = is_read
    of_payment = attempt.gateway_ref or "pi_of_the_dashboard"
    reference = "re_of_the_dashboard" if operation is Operation.REFUND else of_payment
    more = [] if is_read else ["--unread", "--ref", reference, "--at", attempt.created_at.isoformat()]
    with pytest.raises(Conflict, match="was carried out" if is_read else "--unread"):
        await operator.resolve(attempt, "declined")
    assert unchanged(attempt, await operator.now(attempt))
    printed = await operator.resolve(attempt, WORDS[operation], *more)
    now = await operator.now(attempt)
    assert (now.status, now.next_ask_at, now.reason) == (AttemptStatus.APPROVED, None, "")
    assert now.result_ref and now.gateway_ref and str(attempt.id) in printed
    assert is_read or now.decided_at == attempt.created_at
    done = [*before, *filter(None, [DONE[operation]])]
    assert await operator.published(attempt) == done
    (audit,) = await operator.audited(attempt)
    assert (audit["actor"], audit["action"], audit["as"]) == ("ana", "attempt.resolved", WORDS[operation])
    assert audit["reason"] == "read in the dashboard"
    assert audit["processor_shows"].startswith("done: " if is_read else "nothing that decides: timeout")
    # Again it changes nothing; with another word it is refused.
    assert "already" in await operator.resolve(attempt, WORDS[operation], *more)
    with pytest.raises(Conflict, match=f"known: {WORDS[operation]}"):
        await operator.resolve(attempt, "declined", "--unread")
    assert (await operator.published(attempt), len(await operator.audited(attempt))) == (done, 1)


@pytest.mark.parametrize("operation", [*Operation])
@pytest.mark.parametrize("is_read", [True, False], ids=["read", "unread"])
async def test_each_operation_ends_as_not_done_by_declined(
    operator: Operator, operation: Operation, is_read: bool
) -> None:
    attempt = await operator.left(operation, is_done=False)
    before = await operator.published(attempt)
    operator.lossy.is_read = is_read
    with pytest.raises(Conflict, match="was not carried out" if is_read else "--unread"):
        await operator.resolve(attempt, WORDS[operation], "--ref", REFERENCES.get(operation, "pi_x"))
    assert unchanged(attempt, await operator.now(attempt))
    await operator.resolve(attempt, "declined", *([] if is_read else ["--unread"]))
    now = await operator.now(attempt)
    assert (now.status, now.reason) == (AttemptStatus.DECLINED, DeclineReason.NOT_RECEIVED)
    assert await operator.published(attempt) == [*before, *filter(None, [NOT_DONE[operation]])]
    # What may still be held is released from then on, and what may be open is cancelled.
    assert (now.expires_at is not None) is (operation in (Operation.CAPTURE, Operation.EXPIRE, Operation.CLOSE))
    assert "already" in await operator.resolve(attempt, "declined")
    with pytest.raises(Conflict, match="known: declined"):
        await operator.resolve(attempt, WORDS[operation], "--unread", "--ref", REFERENCES.get(operation, "pi_x"))
    assert len(await operator.audited(attempt)) == 1


async def test_funds_of_a_declined_capture_are_released(operator: Operator) -> None:
    attempt = await operator.left(Operation.CAPTURE, is_done=False)
    operator.lossy.is_read = False
    await operator.resolve(attempt, "declined", "--unread")
    await operator.gateway.commands.release_expired(limit=1_000)
    await operator.gateway.commands.resolve_due(limit=1_000)
    intent = operator.place.books.payment_intents[attempt.gateway_ref]
    assert intent["status"] == "canceled"
    assert (await operator.published(attempt))[-1] == "payment.authorization_expired"


async def test_declined_authorization_is_cancelled_where_its_reference_is_known(operator: Operator) -> None:
    attempt = await operator.left(Operation.AUTHORIZE, is_done=True)
    (reference,) = operator.place.books.payment_intents
    operator.lossy.is_read = False
    await operator.resolve(attempt, "declined", "--unread", "--ref", reference)
    await operator.gateway.commands.resolve_due(limit=1_000)
    assert operator.place.books.payment_intents[reference]["status"] == "canceled"
    assert await operator.published(attempt) == ["payment.declined"]


@pytest.mark.parametrize("operation", [Operation.VOID, Operation.EXPIRE, Operation.CLOSE])
async def test_what_was_taken_instead_is_booked_and_declined(operator: Operator, operation: Operation) -> None:
    attempt = await operator.left(operation, is_done=False)
    intent = operator.place.books.payment_intents[attempt.gateway_ref]
    intent |= {"status": "succeeded", "amount_received": 15_050}
    with pytest.raises(Conflict, match="not carried out"):
        await operator.resolve(attempt, "released", "--unread")
    assert unchanged(attempt, await operator.now(attempt))
    assert "payment.captured" not in await operator.published(attempt)
    await operator.resolve(attempt, "declined")
    now = await operator.now(attempt)
    assert (now.status, now.reason, now.expires_at) == (
        AttemptStatus.DECLINED,
        DeclineReason.ALREADY_CAPTURED,
        None,
    )
    assert (await operator.published(attempt)).count("payment.captured") == 1
    assert "already" in await operator.resolve(attempt, "declined")


async def test_what_was_taken_beside_another_authorization_is_not_booked(operator: Operator) -> None:
    attempt = await operator.left(Operation.CLOSE, is_done=False)
    intent = operator.place.books.payment_intents[attempt.gateway_ref]
    intent |= {"status": "succeeded", "amount_received": 15_050}
    declined = (await operator.gateway.attempts(attempt.payment_intent_id))[0]
    other = msgspec.structs.replace(declined, id=new_id(), number=1, in_doubt=1, asked_at=operator.clock.now())
    await operator.gateway.store.open(other)
    with pytest.raises(Conflict, match="beside another authorization of the payment: refund it there"):
        await operator.resolve(attempt, "declined")
    assert unchanged(attempt, await operator.now(attempt))
    assert "payment.captured" not in await operator.published(attempt)


async def test_reading_wins_over_unread_and_over_other_references(operator: Operator) -> None:
    attempt = await operator.left(Operation.AUTHORIZE, is_done=True)
    with pytest.raises(Conflict, match="another reference than the processor's: pi_"):
        await operator.resolve(attempt, "held", "--unread", "--ref", "pi_of_another")
    with pytest.raises(Conflict, match="was carried out: held"):
        await operator.resolve(attempt, "declined", "--unread")
    assert unchanged(attempt, await operator.now(attempt))
    assert await operator.audited(attempt) == []
    operator.lossy.is_read = False
    with pytest.raises(Invalid, match="--ref must name"):
        await operator.resolve(attempt, "held", "--unread")


async def test_pending_refund_is_not_resolved_until_it_has_ended(operator: Operator) -> None:
    attempt = await operator.left(Operation.REFUND, is_done=True)
    (refund,) = operator.place.books.refunds.values()
    refund["status"] = "pending"
    for word in ("refunded", "declined"):
        with pytest.raises(Conflict, match="pending"):
            await operator.resolve(attempt, word, "--unread")
    assert unchanged(attempt, await operator.now(attempt))
    refund["status"] = "failed"
    with pytest.raises(Conflict, match="not carried out"):
        await operator.resolve(attempt, "refunded")
    await operator.resolve(attempt, "declined")
    assert (await operator.published(attempt))[-1] == "refund.failed"


async def test_what_stripe_has_taken_on_is_resolved_once_left_to_a_person(operator: Operator) -> None:
    gateway = operator.gateway
    command = gateway.authorize_command(15_050)
    challenged = "pm_card_threeDSecure2Required"
    operator.lossy.processor = operator.place.processor(payment_method=challenged)
    await gateway.commands.authorize(command)
    (attempt,) = await gateway.attempts(command.body.payment_intent_id)
    assert attempt.status is AttemptStatus.ACTION_REQUIRED
    with pytest.raises(Conflict, match="not left to a person: the gateway goes on at"):
        await operator.resolve(attempt, "held")
    attempt = await operator.leave(attempt.payment_intent_id, Operation.AUTHORIZE)
    with pytest.raises(Conflict, match="pending"):
        await operator.resolve(attempt, "declined", "--unread")
    operator.lossy.is_read = False
    with pytest.raises(Conflict, match="another reference"):
        await operator.resolve(attempt, "held", "--unread", "--ref", "pi_of_another")
    await operator.resolve(attempt, "held", "--unread")
    assert (await operator.now(attempt)).gateway_ref == attempt.result_ref


async def test_nothing_is_decided_while_a_call_could_still_arrive(operator: Operator) -> None:
    gateway = operator.gateway
    operator.lossy.loses = "calls"
    command = gateway.authorize_command(15_050)
    await gateway.commands.authorize(command)
    (attempt,) = await gateway.attempts(command.body.payment_intent_id)
    with pytest.raises(Conflict, match="could still arrive"):
        await operator.resolve(attempt, "declined", "--unread")
    operator.lossy.is_read = False
    for word in ("held", "declined"):
        with pytest.raises(Conflict, match="the gateway still calls: at"):
            await operator.resolve(attempt, word, "--unread", "--ref", "pi_1")
    # What stands at Stripe may be recorded at any age.
    operator.lossy.is_read, operator.lossy.loses = True, "answers"
    await gateway.resolve_after(timedelta(seconds=5))
    (attempt,) = await gateway.attempts(attempt.payment_intent_id)
    assert (attempt.status, attempt.next_ask_at is None) == (AttemptStatus.UNKNOWN, False)
    await operator.resolve(attempt, "held")
    assert await operator.published(attempt) == ["payment.authorized"]


async def test_what_becomes_known_while_the_operator_reads_wins(operator: Operator) -> None:
    """The resolver records what Stripe shows between the reading of the operator and its decision."""
    attempt = await operator.left(Operation.AUTHORIZE, is_done=True)
    operator.lossy.is_read = False
    operator.lossy.let_go.clear()
    operator.lossy.reading.clear()
    resolving = {
        word: asyncio.create_task(operator.resolve(attempt, word, "--unread", "--ref", "pi_1"))
        for word in ("held", "declined")
    }
    await operator.lossy.reading.wait()
    other = Operator(operator.database, operator.clock, operator.gateway.tenant_id, operator.place)
    await operator.database.write(
        "UPDATE attempts SET next_ask_at = $2 WHERE id = $1 RETURNING 1", attempt.id, operator.clock.now()
    )
    assert await other.gateway.commands.resolve_due(limit=1_000) == 1
    operator.lossy.let_go.set()
    assert "meanwhile" in await resolving["held"]
    with pytest.raises(Conflict, match="known: held"):
        await resolving["declined"]
    assert (await operator.published(attempt), await operator.audited(attempt)) == (["payment.authorized"], [])


async def test_answer_that_comes_after_the_operator_changes_nothing(operator: Operator) -> None:
    attempt = await operator.left(Operation.AUTHORIZE, is_done=True)
    await operator.database.write(
        "UPDATE attempts SET next_ask_at = $2 WHERE id = $1 RETURNING 1", attempt.id, operator.clock.now()
    )
    other = Operator(operator.database, operator.clock, operator.gateway.tenant_id, operator.place)
    other.lossy.let_go.clear()
    working = asyncio.create_task(other.gateway.commands.resolve_due(limit=1_000))
    await other.lossy.reading.wait()
    await operator.resolve(await operator.now(attempt), "held")
    resolved = await operator.now(attempt)
    other.lossy.let_go.set()
    assert await working == 1
    assert unchanged(resolved, await operator.now(attempt))
    assert await operator.published(attempt) == ["payment.authorized"]
    assert len(await operator.audited(attempt)) == 1


async def test_attempt_that_is_called_about_meanwhile_is_looked_at_again(operator: Operator) -> None:
    attempt = await operator.left(Operation.CAPTURE, is_done=True)
    operator.lossy.let_go.clear()
    operator.lossy.reading.clear()
    resolving = asyncio.create_task(operator.resolve(attempt, "taken"))
    await operator.lossy.reading.wait()
    due = operator.clock.now() + PATIENCE.pause
    await operator.database.write("UPDATE attempts SET next_ask_at = $2 WHERE id = $1 RETURNING 1", attempt.id, due)
    operator.lossy.let_go.set()
    with pytest.raises(Conflict, match="changed meanwhile"):
        await resolving
    assert await operator.audited(attempt) == []


async def test_two_operators_at_once_decide_once(operator: Operator) -> None:
    attempt = await operator.left(Operation.REFUND, is_done=True)
    operator.lossy.is_read = False
    words = ["refunded", "refunded", "declined", "declined"]
    ends = await asyncio.gather(
        *(operator.resolve(attempt, word, "--unread", "--ref", "re_1") for word in words), return_exceptions=True
    )
    assert len(await operator.audited(attempt)) == 1
    assert sum(isinstance(end, Conflict) for end in ends) == 2
    assert len([name for name in await operator.published(attempt) if name.startswith("refund.")]) == 1


async def test_word_that_contradicts_our_other_records_is_refused(operator: Operator) -> None:
    attempt = await operator.left(Operation.VOID, is_done=True)
    held = (await operator.gateway.attempts(attempt.payment_intent_id))[0]
    operator.lossy.is_read = False
    capture = operator.gateway.capture_command(15_050, intent=attempt.payment_intent_id, gateway_ref=held.gateway_ref)
    await operator.gateway.commands.capture(capture)
    await operator.database.write(
        "UPDATE attempts SET status = 'APPROVED' WHERE payment_intent_id = $1 AND operation = 'capture' RETURNING 1",
        attempt.payment_intent_id,
    )
    with pytest.raises(Conflict, match="the capture of the payment was carried out"):
        await operator.resolve(attempt, "released", "--unread")
    await operator.resolve(attempt, "declined", "--unread")


async def test_wrong_ids_words_and_texts_are_refused(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    attempt = await operator.left(Operation.AUTHORIZE, is_done=True)
    run = operator.resolving.resolve
    with pytest.raises(Invalid, match="UUID"):
        await run(["pi_1", "--as", "held", "--reason", "r"])
    for unknown in (new_id(), attempt.payment_intent_id):
        with pytest.raises(NotFound):
            await run([str(unknown), "--as", "held", "--reason", "r"])
    with pytest.raises(Invalid, match="held or declined"):
        await operator.resolve(attempt, "refunded")
    for arguments in (["--as", "held"], ["--reason", "r"], ["--as", "lost", "--reason", "r"]):
        with pytest.raises(SystemExit):
            await run([str(attempt.id), *arguments])
    for more in (["--reason", " "], ["--reason", "a\nb"], ["--operator", "x" * 101], ["--ref", "pi 1"]):
        with pytest.raises(Invalid):
            await operator.resolve(attempt, "held", *more)
    assert unchanged(attempt, await operator.now(attempt))
    assert "--as" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("operation", "more", "says"),
    [
        (Operation.AUTHORIZE, ["--unread", "--ref", "ch_1"], "payment, pi_"),
        (Operation.CAPTURE, ["--unread", "--ref", "re_1"], "payment, pi_"),
        (Operation.REFUND, ["--unread", "--ref", "pi_1"], "refund, re_"),
        (Operation.REFUND, ["--unread", "--ref", "re_"], "refund, re_"),
        (Operation.REFUND, ["--unread", "--ref", "re_1/../pi_1"], "refund, re_"),
        (Operation.VOID, ["--unread", "--at", "yesterday"], "an instant with its zone"),
        (Operation.VOID, ["--unread", "--at", "2026-11-22T12:00:00"], "an instant with its zone"),
        (Operation.VOID, ["--unread", "--at", "2020-01-01T00:00:00Z"], "between the request"),
        (Operation.VOID, ["--unread", "--at", "9999-12-31T23:59:59Z"], "between the request"),
        (Operation.VOID, ["--at", "2026-11-22T12:00:00Z"], "beside --unread"),
    ],
)
async def test_references_and_instants_must_be_possible(
    operator: Operator, operation: Operation, more: list[str], says: str
) -> None:
    attempt = await operator.left(operation, is_done=True)
    operator.lossy.is_read = False
    with pytest.raises(Invalid, match=says):
        await operator.resolve(attempt, WORDS[operation], *more)
    assert unchanged(attempt, await operator.now(attempt))


async def test_command_line_reads_stripe_with_the_settings_of_the_place(
    operator: Operator, gateway_database: TestDatabase
) -> None:
    attempt = await operator.left(Operation.CAPTURE, is_done=True)
    settings = Settings(
        database=gateway_database.settings("gateway"),
        stripe=StripeSettings(stripe_api_base=operator.place.fake.url, stripe_secret_key=API_KEY),
    )
    with pytest.raises(Conflict, match="was carried out: taken"):
        await resolve(settings, [str(attempt.id), "--as", "declined", "--reason", "r", "--unread"])
    assert "is taken now" in await resolve(settings, [str(attempt.id), "--as", "taken", "--reason", "r"])
    assert (await operator.published(attempt))[-1] == "payment.captured"
    (audit,) = await operator.audited(attempt)
    assert audit["actor"] == audit["user"] == getpass.getuser()
