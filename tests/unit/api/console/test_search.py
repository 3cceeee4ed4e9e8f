"""What the field at the top looks for."""

from urllib.parse import parse_qs

import pytest

from tests.support.console import Seat


@pytest.mark.parametrize(
    ("text", "is_reference"),
    [("pi_3NqFb8example", True), ("re_1_a", True), ("pi_", False), ("order 7", False), ("ana_b@example.com", False)],
)
async def test_gateway_looks_for_what_may_be_a_reference(text: str, is_reference: bool) -> None:
    seat = Seat()
    seat.answers["GET", "/v1/payment-intents"] = (200, {"data": []})

    answer = await seat.get(f"/console/search?q={text}")

    assert answer.status_code == 200
    sent = [parse_qs(each.query) for each in seat.sent if each.path == "/v1/payment-intents"]
    assert [each["gateway_ref"] for each in sent if "gateway_ref" in each] == ([[text]] if is_reference else [])
