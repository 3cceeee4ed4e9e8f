"""Bodies that are large: read in a thread with the same outcome, and refused without repeating them."""

import asyncio
import json
from typing import Any

import pytest

from libs.common.errors import Invalid
from libs.common.web.errors import HttpProblem
from libs.common.web.problems import problem_of
from services.api.books.schemas.journal import PostLedgerEntries
from services.api.http.bodies import BodyReader, take_nothing
from services.api.http.texts import Reading, reading
from services.api.payments.schemas import CreatePaymentIntent
from services.api.settings import CardNumbers

READER = BodyReader(CreatePaymentIntent, moves_money=True)
GOOD = {"amount": "1.00", "currency": "BRL", "customer_ref": "c"}
PADDING = " " * 100_000
ENTRIES = BodyReader(PostLedgerEntries, moves_money=True, long="entries")
LINE = {"account": "CASH", "side": "DEBIT", "amount": "1.00", "currency": "BRL"}
ENTRY = {"description": '\u00e9\uff14\U0001f4a9 ["]},{', "lines": [LINE, LINE | {"side": "CREDIT"}]}
MANY = 800
"""Entries that make a body of many slices."""
CARD = "4111111111111111"


async def outcome(body: Any, padding: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The code of a refusal and what it names."""
    with pytest.raises((HttpProblem, Invalid)) as refused:
        await READER.take((json.dumps(body) + padding).encode())
    fault = refused.value
    assert isinstance(fault, HttpProblem | Invalid)
    return (fault.code if isinstance(fault, HttpProblem) else fault.reason), fault.errors


@pytest.mark.parametrize(
    "body", [{}, [], GOOD | {"colour": 1}, GOOD | {"currency": None}, GOOD | {"description": CARD}]
)
async def test_large_body_is_refused_as_a_small_one(body: Any) -> None:
    assert await outcome(body, PADDING) == await outcome(body, "")


async def test_large_body_is_read_by_the_settings_of_its_request() -> None:
    token = reading.set(Reading(CardNumbers.MASK))
    try:
        body = await READER.take((json.dumps(GOOD | {"description": CARD}) + PADDING).encode())
    finally:
        reading.reset(token)
    assert body.description == "411111******1111"


async def test_refusal_of_many_members_names_some() -> None:
    names = ",".join(f'"k{n}":null' for n in range(15_000))
    with pytest.raises((HttpProblem, Invalid)) as refused:
        await take_nothing(f"{{{names}}}".encode())
    assert isinstance(refused.value, HttpProblem | Invalid)
    assert len(refused.value.errors) == 100


def test_refusal_repeats_no_text_at_any_length() -> None:
    long = "/" + f"{CARD[:4]} {CARD[4:8]} {CARD[8:12]} {CARD[12:]}, " * 10_000
    problem, _ = problem_of(Invalid(long, errors=((long, long),)), path=long)
    assert problem.errors is not None
    for text in (problem.detail, problem.instance, problem.errors[0].pointer, problem.errors[0].detail):
        assert len(text) <= 503
        assert not text.removesuffix("...")[-1].isdigit()
        assert "4111 1111" not in text


def entries(*, changed: dict[int, Any] | None = None, count: int = MANY, **members: Any) -> dict[str, Any]:
    """A body of many entries, some of which are something else."""
    listed: list[Any] = [ENTRY | {"description": f"{n} {ENTRY['description']}"} for n in range(count)]
    for place, other in (changed or {}).items():
        listed[place] = other
    return {"entries": listed, **members}


def written(body: Any, *, ascii_only: bool = False, spaces: str = "") -> bytes:
    """A body as some client writes it."""
    return json.dumps(body, ensure_ascii=ascii_only, separators=(f",{spaces}", f"{spaces}:")).encode()


@pytest.mark.parametrize(
    "raw", [written(entries()), written(entries(mode="independent"), ascii_only=True, spaces="\r\n ")]
)
async def test_long_list_is_read_as_a_short_one(raw: bytes) -> None:
    assert await ENTRIES.take(raw) == ENTRIES.read(raw)


@pytest.mark.parametrize(
    "changed",
    [
        {700: ENTRY | {"colour": 1}},
        {700: ENTRY | {"lines": [LINE | {"amuont": "1"}]}},
        {700: ENTRY | {"description": CARD}},
        {700: ENTRY | {"id": None}},
        {700: 17},
        {700: 10**400},
        {700: []},
        {799: {}},
    ],
)
async def test_long_list_is_refused_as_a_short_one(changed: dict[int, Any]) -> None:
    raw = written(entries(changed=changed))
    with pytest.raises((HttpProblem, Invalid)) as long:
        await ENTRIES.take(raw)
    with pytest.raises((HttpProblem, Invalid)) as short:
        ENTRIES.read(raw)
    assert isinstance(long.value, HttpProblem | Invalid)
    assert isinstance(short.value, HttpProblem | Invalid)
    assert (type(long.value), str(long.value), long.value.errors) == (
        type(short.value),
        str(short.value),
        short.value.errors,
    )


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        (written(entries(unknown=1)), "/unknown"),
        (b"{" + b",".join(b'"k%d":0' % n for n in range(100_000)) + b"}", "/k0"),
        (written({"entries": "x" * 100_000}), "/entries"),
        (written({"mode": "x" * 100_000}), "/mode"),
        (b'{"entries":[],' + written(entries())[1:], "/entries"),
        (written(entries())[:-1] + b',"entries":[' + b"0," * 50_000 + b"0]}", "/entries"),
        (written(entries())[:-1] + b',"mode":"atomic","mode":"atomic"}', "/mode"),
        (written(entries())[:-1] + b',"dry_run":null}', "/dry_run"),
        (written(entries(changed={500: ENTRY | {"description": "x" * 300_000}})), "/entries/500"),
        (written(entries(changed={500: [[]] * 100_000})), "/entries/500"),
        (b'{"entries":[' + b" " * 1_000_000 + b"0]}", "/entries/0"),
        (b'{"entries":[' + b"1" * 1_000_000 + b"]}", "/entries/0"),
        (b'{"entries":[' + b" " * 100_000 + b"]}", "/entries"),
        (written(entries(count=10_001)), "/entries"),
    ],
)
async def test_long_list_says_where_it_is_wrong(raw: bytes, pointer: str) -> None:
    with pytest.raises((HttpProblem, Invalid)) as refused:
        await ENTRIES.take(raw)
    assert isinstance(refused.value, HttpProblem | Invalid)
    assert refused.value.errors[0][0] == pointer


@pytest.mark.parametrize(
    "raw",
    [
        b'{"entries":' + b"[" * 1_000_000,
        written(entries())[:-2],
        written(entries()) + b"]",
        written(entries()).replace(b"CASH", b"\xff\xfe"),
        written(entries()).replace(b"CASH", b"\\q"),
    ],
)
async def test_long_list_that_is_not_json_is_refused(raw: bytes) -> None:
    with pytest.raises(HttpProblem) as refused:
        await ENTRIES.take(raw)
    assert refused.value.code == "malformed_json"


async def test_others_have_a_turn_between_slices_of_all_bodies() -> None:
    raw = written(entries(count=1000))
    slices_min = len(raw) // 32_768
    read: list[int] = []
    turns = 0

    async def take(body: int) -> None:
        await ENTRIES.take(raw)
        read.append(body)

    bodies = [asyncio.create_task(take(body)) for body in range(3)]
    while len(read) < len(bodies):
        await asyncio.sleep(0)
        turns += 1
    assert turns >= slices_min * len(bodies)
