"""The pact of the web suite with our HTTP API: each request that its client makes, with its headers, and what it reads of the answer.

Values that only a running system knows (`${token}`, `${id}`) come from the provider's state.
"""

from typing import Any

from pact import Pact, generate, match

from tests.contract.forms import INSTANT

PAIR = "web-suite-api"
ID = "0190f3a4-5b6c-7d8e-9f01-23456789abcd"
DECIMAL = r"^-?\d+\.\d+$"
STATUSES = "CREATED|PROCESSING|REQUIRES_ACTION|AUTHORIZED|SETTLED|FAILED|VOIDED|REFUNDED|PARTIALLY_REFUNDED"
JSON, PROBLEM = "application/json", "application/problem+json"

OPERATOR, READER, STRANGER = "an operator of the tenant", "a reader of the tenant", "nobody whom the api knows"
"""Who makes the request: a state that has its token."""
CREATED, CONFIRMABLE, VOIDED = "a payment", "a payment to confirm", "a payment that is voided"
SETTLED, REFUNDABLE = "a payment that is settled", "a payment to refund"
"""Which payment there is: a state that has its id."""


def web_suite() -> Pact:
    """Write down what the web suite asks and reads."""
    pact = Pact("web-suite", "api").with_specification("V4")
    _payments(pact)
    _books(pact)
    _problems(pact)
    return pact


def _payments(pact: Pact) -> None:
    page = {
        "data": match.each_like(_payment(), min=1),
        "total": match.int(1),
        "page": match.int(1),
        "pageSize": match.int(15),
    }
    listed = "/v1/payment-intents"
    _get(pact, "the first payments", listed, page, given=CREATED)
    _get(pact, "a page of payments", listed, page, given=CREATED, query={"page": "1", "pageSize": "500"})
    # A filter by PENDING means what nobody has confirmed.
    _get(
        pact,
        "pending payments of a customer",
        listed,
        page,
        given=CREATED,
        query={"status": "PENDING", "customer_ref": "web@suite"},
    )
    _get(pact, "one payment", _of_payment(), _payment(), given=CREATED)
    _post(
        pact,
        "a new payment",
        listed,
        {"amount": 150.5, "currency": "BRL", "customer_ref": "customer@example.com"},
        _payment(amount="150.50", status="CREATED"),
        key="pay-create",
    )
    amount = {"amount": "150.50", "currency": "BRL", "customer_ref": "customer@example.com"}
    # The orders service gives amounts as text, and the suite passes them on.
    _post(pact, "a new payment by an amount in text", listed, amount, _payment(amount="150.50"), key="pay-create")
    confirmed = _payment(status=match.regex("AUTHORIZED", regex="^(AUTHORIZED|SETTLED)$"))
    _post(pact, "a confirmation", _of_payment("/confirm"), {}, confirmed, key="pay-confirm", given=CONFIRMABLE)
    _post(
        pact, "another click", _of_payment("/confirm"), {}, _payment(status="SETTLED"), key="pay-confirm", given=SETTLED
    )
    refund = {
        "id": match.uuid(ID),
        "payment_intent_id": match.uuid(ID),
        "amount": "10.00",
        "reason": "changed mind",
        "status": match.regex("COMPLETED", regex="^[A-Z]+$"),
        "created_at": match.regex("2026-11-22T17:57:07.701598+00:00", regex=INSTANT),
    }
    body = {"amount": 10, "reason": "changed mind"}
    _post(pact, "a refund", _of_payment("/refund"), body, refund, key="req", given=REFUNDABLE)


def _books(pact: Pact) -> None:
    line = {
        "side": match.regex("DEBIT", regex="^(DEBIT|CREDIT)$"),
        "account": match.like("CASH"),
        "amount": match.regex("150.50", regex=DECIMAL),
        "currency": match.regex("BRL", regex="^[A-Z]{3}$"),
    }
    entry = {
        "id": match.uuid(ID),
        "payment_intent_id": match.uuid(ID),
        "posted_at": match.regex("2026-11-22T17:57:07.701598+00:00", regex=INSTANT),
        "lines": match.each_like(line, min=2),
    }
    # The reports page reads the whole of a period, 500 entries at a time; the ledger page names days.
    whole = {"from": "2026-04-01T00:00:00.000+00:00", "to": "2099-04-30T23:59:59.999+00:00"}
    entries = "/v1/ledger/entries"
    _get(
        pact,
        "entries",
        entries,
        match.each_like(entry, min=1),
        given=SETTLED,
        query={"currency": "BRL", "limit": "500", "offset": "0"} | whole,
    )
    _get(
        pact,
        "entries of days",
        entries,
        match.each_like(entry, min=1),
        given=SETTLED,
        query={"from": "2026-04-01", "to": "2099-04-30"},
    )
    balance = {
        "account": match.like("CASH"),
        "currency": match.regex("BRL", regex="^[A-Z]{3}$"),
        "debits_total": match.regex("150.50", regex=DECIMAL),
        "credits_total": match.regex("0.00", regex=DECIMAL),
        "balance": match.regex("-150.50", regex=DECIMAL),
    }
    for what, path in (("balances", "/v1/ledger/balances"), ("balances by report", "/v1/reports/account-balances")):
        _get(pact, what, path, match.each_like(balance, min=1), given=SETTLED)
    revenue = {
        "period": match.regex("2026-11-01T00:00:00+00:00", regex=INSTANT),
        "currency": match.regex("BRL", regex="^[A-Z]{3}$"),
        "total": match.regex("150.50", regex=DECIMAL),
    }
    _get(
        pact,
        "revenue by day",
        "/v1/reports/revenue",
        match.each_like(revenue, min=1),
        given=SETTLED,
        query={"granularity": "day"},
    )


def _problems(pact: Pact) -> None:
    listed, body = "/v1/payment-intents", {"amount": 150.5, "currency": "BRL", "customer_ref": "c"}
    _get(pact, "a payment that does not exist", f"{listed}/{ID}", _problem(404, "Not Found"), status_code=404)
    _get(pact, "payments by nobody", listed, _problem(401, "Unauthorized"), who=STRANGER, status_code=401)
    denied = _problem(403, "Forbidden") | {"permissionCode": "payments:write"}
    _post(pact, "a new payment by a reader", listed, body, denied, who=READER, key="pay-create", status_code=403)
    # An order that has no amount yet.
    missing = _problem(422, "Unprocessable Entity") | {
        "errors": match.each_like({"pointer": match.like("/amount"), "detail": match.like("is missing")}, min=1)
    }
    unpriced = {"currency": "BRL", "customer_ref": "c"}
    _post(pact, "a new payment without an amount", listed, unpriced, missing, key="pay-create", status_code=422)
    _post(pact, "a new payment without a key", listed, body, _problem(400, "Bad Request"), key="", status_code=400)
    conflict = _problem(409, "Conflict")
    _post(
        pact,
        "a late confirmation",
        _of_payment("/confirm"),
        {},
        conflict,
        key="pay-confirm",
        given=VOIDED,
        status_code=409,
    )
    _post(
        pact,
        "too large a refund",
        _of_payment("/refund"),
        {"amount": 1000},
        _problem(422, "Unprocessable Entity"),
        key="req",
        given=SETTLED,
        status_code=422,
    )


def _payment(**fixed: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": match.uuid(ID),
        "amount": match.regex("150.50", regex=DECIMAL),
        "currency": match.regex("BRL", regex="^[A-Z]{3}$"),
        "status": match.regex("CREATED", regex=f"^({STATUSES})$"),
        "customer_ref": match.like("customer@example.com"),
        "created_at": match.regex("2026-11-22T17:57:07.701598+00:00", regex=INSTANT),
        "updated_at": match.regex("2026-11-22T17:57:07.701598+00:00", regex=INSTANT),
    }
    return shown | fixed


def _problem(status: int, title: str) -> dict[str, Any]:
    return {
        "status": status,
        "title": title,
        "detail": match.like("a sentence"),
        "correlation_id": match.like("4be3c5a8f0d94f0c8f3f6c6f6a3c2b10"),
        "code": match.regex("a_code", regex="^[a-z_]+$"),
    }


def _of_payment(end: str = "") -> Any:
    path = f"/v1/payment-intents/{ID}{end}"
    return match.type(path, generator=generate.provider_state(f"/v1/payment-intents/${{id}}{end}"))


def _get(
    pact: Pact,
    what: str,
    path: Any,
    body: Any,
    *,
    who: str = OPERATOR,
    given: str | None = None,
    status_code: int = 200,
    query: dict[str, str] | None = None,
) -> None:
    interaction = _requested(pact, what, who, given).with_request("GET", path)
    for name, value in (query or {}).items():
        interaction.with_query_parameter(name, value)
    _answered(interaction, body, status_code)


def _post(
    pact: Pact,
    what: str,
    path: Any,
    sent: dict[str, Any],
    body: Any,
    *,
    key: str,
    who: str = OPERATOR,
    given: str | None = None,
    status_code: int = 200,
) -> None:
    interaction = _requested(pact, what, who, given).with_request("POST", path).with_body(sent, JSON)
    if key:
        # A new one for each click.
        example = f"{key}-{ID}"
        generated = generate.provider_state(f"{key}-${{click}}")
        interaction.with_header("Idempotency-Key", match.type(example, generator=generated))
    _answered(interaction, body, status_code)


def _requested(pact: Pact, what: str, who: str, given: str | None) -> Any:
    interaction = pact.upon_receiving(what).given(who)
    if given is not None:
        interaction.given(given)
    return interaction


def _answered(interaction: Any, body: Any, status_code: int) -> None:
    (
        interaction.with_header(
            "Authorization", match.type("Bearer x", generator=generate.provider_state("Bearer ${token}")), "Request"
        )
        .with_header("X-Tenant-Id", match.type("tenant", generator=generate.provider_state("${tenant}")), "Request")
        .with_header("X-Correlation-Id", "7b0f3a5c-3a77-4e55-9f0e-0d6f1c1f9a11", "Request")
        .will_respond_with(status_code)
        # The suite shows it beside each error; it is the one that was sent.
        .with_header("X-Correlation-Id", "7b0f3a5c-3a77-4e55-9f0e-0d6f1c1f9a11")
        .with_body(body, JSON if status_code == 200 else PROBLEM)
    )
