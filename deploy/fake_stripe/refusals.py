"""Refusals in Stripe's own shape: `{"error": {"type", "code", "decline_code", "message", "param"}}`."""

from typing import Any


class Refusal(Exception):
    """Stripe says no. `is_executed` tells whether the endpoint had begun: only then an idempotency key keeps the answer."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str = "",
        param: str = "",
        decline_code: str = "",
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        is_executed: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.is_executed = is_executed
        named = {"code": code, "param": param, "decline_code": decline_code}
        self.body: dict[str, Any] = {
            "error": {"type": kind, "message": message}
            | {name: value for name, value in named.items() if value}
            | ({"doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"} if code else {})
            | (extra or {})
        }


_PARAMS = {
    "payment_intent": "intent",
    "setup_intent": "intent",
    "payment_method": "payment_method",
    "refund": "id",
    "dispute": "dispute",
    "payout": "payout",
}


def missing(kind: str, identifier: str, *, param: str = "", elsewhere: str = "") -> Refusal:
    """There is no such object in this account and mode; `elsewhere` is the other mode, when it has one."""
    text = f"No such {kind}: '{identifier}'"
    if elsewhere:
        ours = "test" if elsewhere == "live" else "live"
        text += f"; a similar object exists in {elsewhere} mode, but a {ours} mode key was used to make this request."
    return Refusal(404, text, code="resource_missing", param=param or _PARAMS.get(kind, "id"))


def invalid(message: str, *, param: str, code: str = "") -> Refusal:
    """A parameter does not make sense: refused before anything runs, so no key remembers it."""
    return Refusal(400, message, param=param, code=code, is_executed=False)
