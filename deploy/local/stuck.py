"""`just stuck`: payments that wait too long, why, and what to do. Each service reads its own schema; the reasons are put together here."""

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from deploy.local.errors import LocalFailure
from deploy.local.layout import ROOT
from deploy.local.processes import run

_SECONDS = 120.0

_OPERATIONS = {
    "processing": "authorize",
    "cancelling": "authorize",
    "authorized_automatic": "capture",
    "capturing": "capture",
    "captured": "capture",
    "voiding": "void",
    "abandoning": "void",
    "refund_pending": "refund",
}
"""What the gateway was to do, by what a payment waits for."""


_UNDECIDED = frozenset({"PENDING", "UNKNOWN", "ACCEPTED", "ACTION_REQUIRED"})
"""The statuses of an attempt without an outcome."""
_WORDS = {
    "authorize": "held|declined",
    "capture": "taken|declined",
    "void": "released|declined",
    "refund": "refunded|declined",
}
"""What an operator may say that became of an operation."""


_UNSENT = {
    "endpoint_pace": "not sent yet (endpoint_pace): calls of its kind wait for their turn at the account's endpoint",
    "rate_limited": "not taken yet (rate_limited): the account has made too many calls",
}
"""Why an attempt is not answered, by the reason of the gateway, where that is the number of calls."""


class Waiting(msgspec.Struct, frozen=True):
    """A payment that waits too long, in the words of the api."""

    tenant_id: str
    payment_intent_id: str
    refund_id: str | None
    stage: str
    since: datetime
    repeats: int
    next_at: datetime | None


class Attempt(msgspec.Struct, frozen=True):
    """What the gateway knows of an operation."""

    id: str
    payment_intent_id: str
    operation: str
    status: str
    reason: str
    asks: int
    next_ask_at: datetime | None
    refund_id: str | None = None


class Entry(msgspec.Struct, frozen=True):
    """What the ledger has posted."""

    payment_intent_id: str
    kind: str


class Letter(msgspec.Struct, frozen=True):
    """An event that could not be handled."""

    payment_intent_id: str
    refund_id: str
    reason: str


class DeadQueue(msgspec.Struct, frozen=True):
    """The dead letters of one queue."""

    queue: str
    count: int
    letters: list[Letter]


class Refused(msgspec.Struct, frozen=True):
    """What one destination refuses."""

    destination: str
    count: int
    oldest: datetime
    attempts: int


class Report(msgspec.Struct, frozen=True):
    """What a service says to `stuck`; each fills its own part."""

    payments: list[Waiting] = []
    attempts: list[Attempt] = []
    """Oldest first."""
    entries: list[Entry] = []
    dead: list[DeadQueue] = []
    refused: list[Refused] = []


def stuck(env: Mapping[str, str]) -> str:
    """Ask each service, and write the page.

    Raises:
        LocalFailure: when one of them does not answer.
    """
    api = _ask("api", env, "")
    payments = list({(p.tenant_id, p.payment_intent_id): None for p in api.payments})
    named = msgspec.json.encode(payments).decode()
    return page(
        api,
        gateway=_ask("gateway", env, named),
        ledger=_ask("ledger", env, named),
        notifier=_ask("notifier", env, ""),
    )


def page(api: Report, *, gateway: Report, ledger: Report, notifier: Report | None = None) -> str:
    """Write one paragraph for each payment: since when it waits, why, and the next command; then what is no payment's."""
    reports = {"api": api, "gateway": gateway, "ledger": ledger, "notifier": notifier or Report()}
    dead = [queue for report in reports.values() for queue in report.dead]
    lines: list[str] = []
    for waiting in api.payments:
        name = f"payment {waiting.payment_intent_id}"
        if waiting.refund_id is not None:
            name = f"refund {waiting.refund_id} of {name}"
        reason, remedy = _explain(waiting, gateway.attempts, ledger.entries, dead)
        lines += [
            f"{name} (tenant {waiting.tenant_id}): {waiting.stage.replace('_', ' ')} since {_instant(waiting.since)}",
            f"  why   {reason}",
            f"  then  {remedy}",
        ]
    if not api.payments:
        lines.append("No payment waits too long.")
    lines += [
        f"{queue.count} dead letters in {queue.queue}: just redrive {queue.queue.partition('.')[0]} {queue.queue}"
        for queue in dead
    ]
    for service, report in reports.items():
        for refused in report.refused:
            end = f"just refused {service} give-up {refused.destination or repr('')} --reason TEXT"
            name = refused.destination or "an unknown contract"
            lines += [
                f"{refused.count} messages of the {service} refused by {name} since {_instant(refused.oldest)}",
                f"  why   refused {refused.attempts} times: the queue is full or missing",
                f"  then  make room there (they are tried again), or: {end}",
            ]
    return "\n".join(lines) + "\n"


def _waited_for(waiting: Waiting, operation: str, attempts: Sequence[Attempt]) -> Attempt | None:
    """Return the attempt of the operation that has no outcome yet, else the newest: an earlier card was declined, an earlier void refused.

    Of two without one, that which waits for a person: nothing else ends it.
    """
    found = [
        attempt
        for attempt in attempts
        if (attempt.payment_intent_id, attempt.operation, attempt.refund_id)
        == (waiting.payment_intent_id, operation, waiting.refund_id)
    ]
    undecided = [attempt for attempt in found if attempt.status in _UNDECIDED]
    left = [attempt for attempt in undecided if attempt.next_ask_at is None]
    choice = left or undecided or found
    return choice[-1] if choice else None


def _explain(
    waiting: Waiting, attempts: Sequence[Attempt], entries: Sequence[Entry], dead: Sequence[DeadQueue]
) -> tuple[str, str]:
    """Tell why a payment waits, and what to do about it."""
    for queue in dead:
        for letter in queue.letters:
            if letter.payment_intent_id == waiting.payment_intent_id and (
                waiting.refund_id is None or letter.refund_id in ("", waiting.refund_id)
            ):
                service = queue.queue.partition(".")[0]
                return (
                    f"a dead letter waits in {queue.queue}: {letter.reason}",
                    f"mend the cause, then: just redrive {service} {queue.queue}",
                )
    operation = _OPERATIONS[waiting.stage]
    attempt = _waited_for(waiting, operation, attempts)
    swept = _sweep_of(waiting)
    if attempt is None:
        return f"no attempt at the gateway: the command to {operation} has not arrived", swept
    if attempt.status in _UNDECIDED and attempt.next_ask_at is None:
        known = "unknown outcome" if attempt.status in {"PENDING", "UNKNOWN"} else "accepted, and its end is unknown"
        command = f"just gateway resolve {attempt.id} --as {_WORDS[operation]} --reason TEXT"
        return (
            f"{known} ({attempt.reason}) after {attempt.asks} calls: the processor is not called again",
            f"look the key {attempt.id} up at the processor, then: {command} (docs/runbooks/gateway.md)",
        )
    if attempt.next_ask_at is not None:
        what = {
            "PENDING": _UNSENT.get(attempt.reason, "not answered by the processor yet"),
            "UNKNOWN": f"unknown outcome ({attempt.reason}) after {attempt.asks} calls",
        }.get(attempt.status, "accepted by the processor, which has not reported the end")
        return what, f"nothing: the gateway asks again at {_instant(attempt.next_ask_at)}; just gateway status"
    known = f"the gateway knows the outcome of the {operation} ({attempt.status})"
    if operation != "capture" or attempt.status != "APPROVED":
        return f"{known}, the api has not received it", swept
    if not any(e.payment_intent_id == waiting.payment_intent_id and e.kind == "capture" for e in entries):
        return f"no posting: {known}, the ledger has no entry", swept
    return "the ledger has posted the capture, the api has not received it", swept


def _sweep_of(waiting: Waiting) -> str:
    again = f"published again {waiting.repeats} times" if waiting.repeats else "not published again yet"
    due = "within seconds" if waiting.next_at is None else f"at {_instant(waiting.next_at)}"
    return f"nothing: {again}, the api publishes it again {due}"


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _ask(service: str, env: Mapping[str, str], text_in: str) -> Report:
    done = run(
        [sys.executable, "-m", f"services.{service}", "stuck"], seconds=_SECONDS, env=env, cwd=ROOT, text_in=text_in
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise LocalFailure(f"the {service} cannot say what waits: {(done.stderr or done.stdout).strip()[-500:]}")
    return msgspec.json.decode(lines[-1], type=Report)
