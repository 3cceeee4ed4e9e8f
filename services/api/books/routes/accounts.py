"""The chart of accounts; the ledger keeps it and is asked over the broker."""

from typing import Annotated

import msgspec
from litestar import Response

from libs.common.contracts.ledger import Account, AccountType, ListAccounts, OpenAccount
from services.api.http.bodies import BodyReader, require_storable
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation, resource_id
from services.api.http.parameters import AnyRequest
from services.api.http.problems import refusal
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask

_EXAMPLE = {"code": "FEES", "label": "Processing fees", "account_type": "EXPENSE"}


type _Limit = Annotated[
    int,
    msgspec.Meta(
        ge=-(2**53), le=2**53, description="In minor units of each currency, in the account's normal direction."
    ),
]


class CreateAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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
    floor_minor: _Limit | None = None
    """The least that may be available in its normal direction; 0: no overdraft."""
    ceiling_minor: _Limit | None = None
    """The most that it may hold in its normal direction."""
    currencies: (
        Annotated[
            list[Annotated[str, msgspec.Meta(min_length=3, max_length=3)]],
            msgspec.Meta(min_length=1, max_length=200, description="The currencies it takes; absent: all."),
        ]
        | None
    ) = None


class AccountBody(msgspec.Struct, frozen=True, kw_only=True):
    """An account of the tenant's chart."""

    id: str
    code: str
    label: str
    account_type: AccountType
    is_default: bool
    floor_minor: int | None
    ceiling_minor: int | None
    currencies: list[str] | None


class Accounts(Resource):
    """Routes: `GET /v1/accounts` and `POST /v1/accounts`."""

    ask: Ask

    bodies = BodyReader(CreateAccount)

    @operation(
        "GET",
        "/v1/accounts",
        operation_id="listAccounts",
        summary="List accounts",
        description="The tenant's chart, by code, as a bare array.",
        tags=["accounts"],
        answer=list[AccountBody],
        permission="ledger:read",
    )
    async def list_accounts(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        found = await self.ask(ListAccounts(tenant_id=caller.tenant_id))
        return json_answer([account_body(account) for account in found.accounts])

    @operation(
        "POST",
        "/v1/accounts",
        operation_id="createAccount",
        summary="Open an account",
        tags=["accounts"],
        body=CreateAccount,
        example=_EXAMPLE,
        answer=AccountBody,
        permission="admin:write",
        status=201,
        refusals=("invalid_account_type", "account_code_taken", "account_id_taken", "account_invalid"),
        change=Change(OpenAccount, "ledger.open_account", target="account_id"),
    )
    async def create_account(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        wanted = await self.bodies.take(await request.body())
        require_storable({"/code": wanted.code, "/label": wanted.label})
        if wanted.account_type not in AccountType.__members__:
            raise refusal("invalid_account_type", f"invalid account_type: {wanted.account_type}")
        opened = await self.ask(
            OpenAccount(
                tenant_id=caller.tenant_id,
                account_id=resource_id(),
                code=wanted.code,
                label=wanted.label,
                account_type=AccountType(wanted.account_type),
                floor_minor=wanted.floor_minor,
                ceiling_minor=wanted.ceiling_minor,
                currencies=wanted.currencies,
            )
        )
        return json_answer(account_body(opened), status=201)


def account_body(account: Account) -> AccountBody:
    """Show an account as clients see it."""
    return AccountBody(
        id=str(account.id),
        code=account.code,
        label=account.label,
        account_type=account.account_type,
        is_default=account.is_default,
        floor_minor=account.floor_minor,
        ceiling_minor=account.ceiling_minor,
        currencies=account.currencies,
    )
