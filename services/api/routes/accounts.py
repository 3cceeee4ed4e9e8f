"""The chart of accounts; the ledger keeps it and is asked over the broker."""

import re
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from libs.common.contracts import Message
from libs.common.contracts.ledger import Account, AccountType, ListAccounts, OpenAccount
from libs.common.errors import Invalid
from libs.common.ids import new_id
from libs.common.money import format_minor, is_currency, parse_amount
from libs.common.web.problems import HttpProblem
from services.api.auth import Access
from services.api.errors.problems import refusal
from services.api.routes.bodies import BodyReader, invalid, number_text, require_storable
from services.api.routes.documentation import Documented
from services.api.routes.parameters import AnyRequest, prefers_strict
from services.api.routes.rendering import json_answer

_EXAMPLE = {"code": "FEES", "label": "Processing fees", "account_type": "EXPENSE"}
_LIMIT = re.compile(r"-?\d{1,20}(\.\d{1,10})?\Z", re.ASCII)
_ABSENT = msgspec.Raw(b"null")

type LimitIn = Annotated[
    msgspec.Raw,
    msgspec.Meta(
        description="In the account's normal direction; anything but 0 needs exactly one currency. Absent: none.",
        extra_json_schema={
            "oneOf": [
                {"type": "number"},
                {"type": "string", "pattern": r"^-?\d{1,20}(\.\d{1,10})?$"},
                {"type": "null"},
            ]
        },
    ),
]


class CreateAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A new account of the tenant's chart."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="Unique in the chart: `FEES`.")]
    label: Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="Its name for people.")]
    account_type: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=32,
            description="Fixes the normal balance.",
            extra_json_schema={"enum": [kind.value for kind in AccountType]},
        ),
    ]
    currencies: (
        Annotated[
            list[Annotated[str, msgspec.Meta(min_length=3, max_length=8)]],
            msgspec.Meta(min_length=1, max_length=200, description="The currencies that it takes. Absent: all."),
        ]
        | None
    ) = None
    floor: LimitIn = msgspec.field(default_factory=lambda: _ABSENT)
    """The least that may be available; 0: no overdraft."""
    ceiling: LimitIn = msgspec.field(default_factory=lambda: _ABSENT)
    """The most that it may hold."""


class AccountBody(msgspec.Struct, frozen=True, kw_only=True):
    """An account of the tenant's chart."""

    id: str
    code: str
    label: str
    account_type: AccountType
    is_default: bool
    currencies: Annotated[list[str], msgspec.Meta(description="The currencies that it takes; null: all.")] | None
    floor: Annotated[str, msgspec.Meta(description="The least that may be available.")] | None
    ceiling: Annotated[str, msgspec.Meta(description="The most that it may hold.")] | None


def account_routes(access: Access, ask: Callable[[Message], Awaitable[Any]]) -> list[HTTPRouteHandler]:
    """Build `GET /v1/accounts` and `POST /v1/accounts`."""
    bodies = BodyReader(CreateAccount)

    @get(
        "/v1/accounts",
        operation_id="listAccounts",
        summary="List accounts",
        description="The tenant's chart, by code, as a bare array.",
        tags=["accounts"],
        documented=Documented(answer=list[AccountBody], permission="ledger:read"),
    )
    async def list_accounts(request: AnyRequest) -> Response[bytes]:
        caller = await access.admit(request.headers, "ledger:read")
        found = await ask(ListAccounts(tenant_id=caller.tenant_id))
        return json_answer([account_body(account) for account in found.accounts])

    @post(
        "/v1/accounts",
        status_code=201,
        operation_id="createAccount",
        summary="Open an account",
        tags=["accounts"],
        documented=Documented(
            body=CreateAccount,
            example=_EXAMPLE,
            answer=AccountBody,
            permission="admin:write",
            status=201,
            refusals=(
                "invalid_account_type",
                "unsupported_currency",
                "account_code_taken",
                "account_id_taken",
                "account_invalid",
            ),
        ),
    )
    async def create_account(request: AnyRequest) -> Response[bytes]:
        caller = await access.admit(request.headers, "admin:write")
        wanted = bodies.read(await request.body(), strict=prefers_strict(request.headers))
        require_storable({"/code": wanted.code, "/label": wanted.label})
        if wanted.account_type not in AccountType.__members__:
            raise refusal("invalid_account_type", f"invalid account_type: {wanted.account_type}")
        for code in wanted.currencies or ():
            if not is_currency(code):
                raise refusal("unsupported_currency", errors=(("/currencies", "unsupported currency"),))
        opened = await ask(
            OpenAccount(
                tenant_id=caller.tenant_id,
                account_id=new_id(),
                code=wanted.code,
                label=wanted.label,
                account_type=AccountType(wanted.account_type),
                currencies=wanted.currencies,
                floor_minor=_limit(wanted.floor, "/floor", wanted.currencies),
                ceiling_minor=_limit(wanted.ceiling, "/ceiling", wanted.currencies),
            )
        )
        return json_answer(account_body(opened), status=201)

    found: list[Any] = [list_accounts, create_account]
    return found


def account_body(account: Account) -> AccountBody:
    """Show an account as clients see it."""
    return AccountBody(
        id=str(account.id),
        code=account.code,
        label=account.label,
        account_type=account.account_type,
        is_default=account.is_default,
        currencies=account.currencies,
        floor=_limit_text(account.floor_minor, account.currencies),
        ceiling=_limit_text(account.ceiling_minor, account.currencies),
    )


def _limit(raw: msgspec.Raw, pointer: str, currencies: list[str] | None) -> int | None:
    """Read a floor or ceiling as minor units of the account's only currency; 0 is 0 in all of them."""
    if bytes(raw) == bytes(_ABSENT):
        return None
    text = number_text(bytes(raw), pointer)
    if not _LIMIT.match(text):
        raise invalid([(pointer, "must be a decimal number")])
    if Decimal(text) == 0:
        return 0
    if currencies is None or len(currencies) != 1:
        raise _unusable(pointer, "must be 0 unless the account takes exactly one currency")
    try:
        amount_minor = parse_amount(text.removeprefix("-"), currencies[0])
    except Invalid as fault:
        raise _unusable(pointer, fault.detail.replace("amount ", "", 1)) from fault
    return -amount_minor if text.startswith("-") else amount_minor


def _unusable(pointer: str, sentence: str) -> HttpProblem:
    return refusal("account_invalid", f"{pointer[1:]} {sentence}", errors=((pointer, sentence),))


def _limit_text(minor: int | None, currencies: list[str] | None) -> str | None:
    """Write a floor or ceiling as it was given: as an amount where there is one currency, which there is unless it is 0."""
    if minor is None or not currencies or minor == 0:
        return None if minor is None else str(minor)
    return format_minor(minor, currencies[0])
