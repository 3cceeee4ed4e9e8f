"""A caller of the fake Stripe over HTTP, and what tests do at it again and again."""

from typing import Any

import aiohttp

from deploy.fake_stripe import FakeStripe
from tests.support.stripe_shapes import faults_of

KEY = "sk_test_rules"
PAYMENT = {
    "amount": "1000",
    "currency": "brl",
    "payment_method": "pm_card_visa",
    "allowed_payment_method_types[]": "card",
    "confirm": "true",
}


class Answered:
    """An answer: its status, its JSON, its headers."""

    def __init__(self, status: int, json: Any, headers: Any) -> None:
        self.status = status
        self.json = json
        self.headers = headers

    @property
    def error(self) -> Any:
        """The error in it."""
        return self.json["error"]

    @property
    def code(self) -> tuple[int, str]:
        """Its status and the code of its error."""
        return self.status, self.error.get("code", "")


class Caller:
    """Calls the API as curl would."""

    def __init__(self, fake: FakeStripe, http: aiohttp.ClientSession) -> None:
        self.fake = fake
        self.http = http

    @property
    def books(self) -> Any:
        """What the fake holds for the account of the tests."""
        return self.fake.account(KEY)

    async def call(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        *,
        key: str = "",
        api_key: str = KEY,
        **headers: str,
    ) -> Answered:
        """Make one call; `key` is the idempotency key, `Stripe_Version` and others are headers."""
        sent = {"Authorization": f"Bearer {api_key}"} | {n.replace("_", "-"): v for n, v in headers.items()}
        if key:
            sent["Idempotency-Key"] = key
        given: dict[str, Any] = {"params": params} if method == "GET" else {"data": params}
        async with self.http.request(method, self.fake.url + path, headers=sent, **given) as answer:
            answered = Answered(answer.status, await answer.json(), answer.headers)
        if path.startswith("/v1/") and answered.status != 501:
            # Whatever a test is about, what it is answered has Stripe's shape.
            assert not (faults := faults_of(answered.json)), (method, path, faults)
        return answered

    async def post(self, path: str, params: dict[str, str] | None = None, **rest: Any) -> Answered:
        """Make a POST."""
        return await self.call("POST", path, params, **rest)

    async def get(self, path: str, params: dict[str, str] | None = None, **rest: Any) -> Answered:
        """Make a GET."""
        return await self.call("GET", path, params, **rest)

    async def made(self, path: str, params: dict[str, str] | None = None, **rest: Any) -> Any:
        """Make a POST that succeeds, and return what it made."""
        answer = await self.post(path, params, **rest)
        assert answer.status == 200, answer.json
        return answer.json

    async def found(self, path: str, params: dict[str, str] | None = None, **rest: Any) -> Any:
        """Make a GET that succeeds, and return what it found."""
        answer = await self.get(path, params, **rest)
        assert answer.status == 200, answer.json
        return answer.json

    async def paid(self, **changes: str) -> Any:
        """Make a payment."""
        return await self.made("/v1/payment_intents", PAYMENT | changes)

    async def held(self, **changes: str) -> Any:
        """Make a payment that is to be captured."""
        return await self.paid(capture_method="manual", **changes)

    async def movements(self, **filters: str) -> list[Any]:
        """The movements of the account, oldest first."""
        page = await self.found("/v1/balance_transactions", {"limit": "100"} | filters)
        assert page["has_more"] is False
        return list(reversed(page["data"]))

    async def balance(self) -> dict[str, tuple[int, int]]:
        """What there is of each currency: available, pending."""
        found = await self.found("/v1/balance")
        pending = {each["currency"]: each["amount"] for each in found["pending"]}
        return {each["currency"]: (each["amount"], pending[each["currency"]]) for each in found["available"]}
