"""The controls of the stand-in: what is sent wrong to them is named, and changes nothing."""

from typing import Any

import pytest

from tests.support.fake_stripe import KEY, Caller


async def sent(caller: Caller, path: str, body: Any) -> int:
    """POST JSON to a control and return the status."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with caller.http.post(f"{caller.fake.url}/_control/{path}", json=body, headers=headers) as answer:
        assert answer.content_type == "application/json"
        return answer.status


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("account", {"colour": "red"}),
        ("account", {"payouts": "hourly"}),
        ("account", {"fee_bps": "many"}),
        ("account", []),
        ("faults", {"kind": "earthquake"}),
        ("faults", {"kind": "slow", "colour": "red"}),
        ("mischief", {"lost": 1}),
    ],
)
async def test_wrong_control_is_refused(caller: Caller, path: str, body: Any) -> None:
    before = caller.fake.settings(KEY).fee_bps
    assert await sent(caller, path, body) == 400
    assert caller.fake.settings(KEY).fee_bps == before
    await caller.paid()


async def test_settings_hold_for_both_modes(caller: Caller) -> None:
    caller.fake.add_key("sk_live_mine", of=KEY)
    assert await sent(caller, "account", {"delay_days": 30, "country": "DE"}) == 200
    for api_key in (KEY, "sk_live_mine"):
        account = await caller.found("/v1/account", api_key=api_key)
        assert (account["country"], account["settings"]["payouts"]["schedule"]["delay_days"]) == ("DE", 30)


async def test_clock_is_turned_forward_only(caller: Caller) -> None:
    before = caller.fake.clock.now()
    assert (await caller.post("/_control/clock", {"seconds": "-1"})).status == 400
    assert (await caller.post("/_control/clock", {"seconds": "soon"})).status == 400
    assert (await caller.made("/_control/clock", {"seconds": "60"}))["now"] - before in {60, 61, 62}
