"""Bodies that are large: read in a thread with the same outcome, and refused without repeating them."""

import json
from typing import Any

import pytest

from libs.common.errors import Invalid
from libs.common.web.problems import HttpProblem, problem_of
from services.api.routes.bodies import BodyReader, take_nothing
from services.api.routes.rendering import CreatePaymentIntent
from services.api.routes.texts import Reading, reading
from services.api.settings import CardNumbers

READER = BodyReader(CreatePaymentIntent, moves_money=True)
GOOD = {"amount": "1.00", "currency": "BRL", "customer_ref": "c"}
PADDING = " " * 100_000
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
    names = ",".join(f'"k{n}":null' for n in range(50_000))
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
