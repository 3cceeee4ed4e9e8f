"""Card numbers are recognised in any text, whatever stands around and between their digits; other numbers are left alone."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.cards import has_card_number, mask_card_numbers, may_have_card_number

ISSUED = (
    "4222222222222",
    "4111111111111111",
    "4012888888881881",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "6011111111111117",
    "30569309025904",
    "38520000023237",
    "3530111333300000",
    "6200000000000005",
    "6062826786276634",
    "6304000000000000",
)


def check_digit(digits: str) -> str:
    """The last digit that makes a number pass Luhn's check, by the definition of ISO/IEC 7812."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * 2 if place % 2 == 0 else int(digit)
        total += doubled // 10 + doubled % 10
    return str(-total % 10)


visas = st.text("0123456789", min_size=14, max_size=14).map(lambda rest: "4" + rest).map(lambda n: n + check_digit(n))
quiet = st.text(st.characters(exclude_categories=("Nd", "No", "Nl", "Cs", "Pd", "Zs")), max_size=20)


@pytest.mark.parametrize("number", ISSUED)
def test_numbers_of_issuers_are_recognised(number: str) -> None:
    assert has_card_number(number)
    assert has_card_number(f"card {number}, exp 12/30")
    shown = mask_card_numbers(f"card {number}, exp 12/30")
    assert number not in shown
    assert shown == f"card {number[:6]}{'*' * (len(number) - 10)}{number[-4:]}, exp 12/30"


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111 - 1111"[:4] + "  1111  1111  1111",
        "3782 822463 10005",
        "4111\u00a01111\u20111111\u20131111",
        "\uff14\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11\uff11",
        "order 12345 4111 1111 1111 1111",
        "4111111111111111 5555555555554444",
        "pan:4111111111111111;cvc:123",
        "https://shop.example/?card=4111111111111111",
    ],
)
def test_a_number_in_groups_or_in_other_digits_is_the_same_number(text: str) -> None:
    assert has_card_number(text)
    assert not has_card_number(mask_card_numbers(text))


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",
        "4111.1111.1111.1111",
        "0000000000000000",
        "4444444444444",
        "2026112800001234",
        "20261128-0000-0001",
        "1764324000000000",
        "+55 11 91234-5678",
        "41111111111111111111",
        "35260411222333000181550010000012341234567890",
        "34191.79001 01043.510047 91020.150008 8 98760000026000",
        "36000009000140",
        "12.345.678/0001-95",
        "01890000-0000-7111-8111-411111111111",
        "4111111111111111deadbeef",
        "411111111111",
        "",
    ],
)
def test_other_numbers_are_left_alone(text: str) -> None:
    assert not has_card_number(text)
    assert mask_card_numbers(text) == text


@given(quiet, visas, quiet, st.sampled_from(["", " ", "-"]))
def test_a_card_number_is_found_in_any_text_and_gone_when_it_is_masked(
    before: str, number: str, after: str, gap: str
) -> None:
    written = gap.join((number[:4], number[4:8], number[8:12], number[12:]))
    text = f"{before}!{written}!{after}"
    if len(set(number)) == 1:
        return
    assert has_card_number(text)
    assert may_have_card_number(text.encode())
    shown = mask_card_numbers(text)
    assert not has_card_number(shown)
    start = len(before) + 1
    masked = shown[start : start + len(written)]
    assert masked.replace(gap, "") == f"{number[:6]}******{number[-4:]}"


@given(visas, st.integers(0, 15), st.integers(1, 9))
def test_one_wrong_digit_makes_it_no_card_number(number: str, place: int, more: int) -> None:
    wrong = number[:place] + str((int(number[place]) + more) % 10) + number[place + 1 :]
    assert not has_card_number(wrong)


@given(st.uuids())
def test_ids_are_no_card_numbers(made: uuid.UUID) -> None:
    assert not has_card_number(str(made))
    assert not has_card_number(made.hex) or made.hex.isdigit()


@given(st.text(max_size=60))
def test_any_text_is_masked_without_losing_a_character(text: str) -> None:
    assert len(mask_card_numbers(text)) == len(text)
