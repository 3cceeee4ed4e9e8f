"""Whose webhook is it? What was not signed with a secret of ours, or too long ago, is nobody's."""

import time

import pytest

from deploy.fake_stripe.webhooks import signature
from services.gateway.processors.stripe import NotGenuine, verify

BODY = b'{"id": "evt_1", "type": "charge.captured"}'
OLD, NEW = "whsec_old", "whsec_new"
TOLERANCE_SECONDS = 300


def refusal(body: bytes, header: str, *, secrets: tuple[str, ...] = (OLD, NEW)) -> str:
    with pytest.raises(NotGenuine) as fault:
        verify(body, header, secrets, tolerance_seconds=TOLERANCE_SECONDS)
    assert str(fault.value) == fault.value.reason
    return fault.value.reason


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_each_secret_in_force_signs_for_the_account(secret: str) -> None:
    header = signature(BODY, secret)
    assert verify(BODY, header, (OLD, NEW), tolerance_seconds=TOLERANCE_SECONDS) == BODY.decode()


def test_another_secret_and_another_body_are_forged() -> None:
    header = signature(BODY, "whsec_of_somebody_else")
    assert refusal(BODY, header) == "forged"
    assert refusal(BODY + b" ", signature(BODY, NEW)) == "forged"
    assert refusal(BODY, signature(BODY, NEW), secrets=()) == "forged"


def test_message_from_long_ago_is_stale_and_cannot_be_made_young() -> None:
    then, now = int(time.time()) - 2 * TOLERANCE_SECONDS, int(time.time())
    header = signature(BODY, NEW, at=then)
    assert refusal(BODY, header) == "stale"
    assert refusal(BODY, header.replace(f"t={then}", f"t={now}")) == "forged"


def test_message_of_a_time_to_come_is_stale() -> None:
    assert refusal(BODY, signature(BODY, NEW, at=int(time.time()) + 2 * TOLERANCE_SECONDS)) == "stale"
    soon = signature(BODY, NEW, at=int(time.time()) + TOLERANCE_SECONDS // 2)
    assert verify(BODY, soon, (OLD, NEW), tolerance_seconds=TOLERANCE_SECONDS) == BODY.decode()


@pytest.mark.parametrize("header", ["", "t=1763800000", "v1=" + 64 * "0", "t=1763800000,v1=\u0660"])
def test_header_without_time_or_signature_is_malformed(header: str) -> None:
    assert refusal(BODY, header) == "malformed"


def test_body_that_is_no_text_is_malformed_however_it_is_signed() -> None:
    body = b'{"id": "\xff"}'
    assert refusal(body, signature(body, NEW)) == "malformed"
