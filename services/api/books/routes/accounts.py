"""The chart of accounts; the ledger keeps it and answers over the broker."""

from litestar import Response

from libs.common.contracts.ledger import AccountType, ListAccounts, OpenAccount
from libs.common.contracts.ledger_errors import AccountCodeTaken, AccountIdTaken, AccountInvalid
from services.api.books.schemas.accounts import AccountBody, CreateAccount, account_body
from services.api.errors import AccountTypeInvalid
from services.api.http.bodies import BodyReader, require_storable
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation, resource_id
from services.api.http.parameters import AnyRequest
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask

_EXAMPLE = {"code": "FEES", "label": "Processing fees", "account_type": "EXPENSE"}


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
        refusals=(AccountTypeInvalid, AccountCodeTaken, AccountIdTaken, AccountInvalid),
        change=Change(OpenAccount, "ledger.open_account", target="account_id"),
    )
    async def create_account(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.bodies.take(await request.body())
        require_storable({"/code": requested.code, "/label": requested.label})
        if requested.account_type not in AccountType.__members__:
            raise AccountTypeInvalid(f"invalid account_type: {requested.account_type}")
        opened = await self.ask(
            OpenAccount(
                tenant_id=caller.tenant_id,
                account_id=resource_id(),
                code=requested.code,
                label=requested.label,
                account_type=AccountType(requested.account_type),
                floor_minor=requested.floor_minor,
                ceiling_minor=requested.ceiling_minor,
                currencies=requested.currencies,
            )
        )
        return json_answer(account_body(opened), status=201)
