"""Own units: points, miles, and whatever else a tenant's books count beside money; the ledger keeps them."""

from litestar import Response

from libs.common.contracts.ledger_errors import UnitConflict, UnitInvalid, UnitLimitReached
from libs.common.contracts.ledger_units import AddOwnUnit, ListOwnUnits
from services.api.books.schemas.units import AddOwnUnitBody, OwnUnitBody, unit_body
from services.api.http.bodies import BodyReader, require_storable
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation
from services.api.http.parameters import AnyRequest
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask


class OwnUnits(Resource):
    """Routes: `GET` and `POST /v1/ledger/units`."""

    ask: Ask

    bodies = BodyReader(AddOwnUnitBody)

    @operation(
        "GET",
        "/v1/ledger/units",
        operation_id="listOwnUnits",
        summary="List own units",
        description="What the tenant's books count beside money, by code, as a bare array.",
        tags=["accounts"],
        answer=list[OwnUnitBody],
        permission="ledger:read",
    )
    async def list_own_units(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        found = await self.ask(ListOwnUnits(tenant_id=caller.tenant_id))
        return json_answer([unit_body(unit) for unit in found.units])

    @operation(
        "POST",
        "/v1/ledger/units",
        operation_id="addOwnUnit",
        summary="Add an own unit",
        description="Lets the books count in points, miles or anything else that is no currency: manual entries, holds, statements "
        "and reports take its code where they take that of a currency; payments and conversions do not. It never changes; "
        "again is answered the same. An amount has at most 10^18 of its smallest parts, and an account at most 2^63-1 "
        "of them as debits and as credits: with 18 decimals that is 1 and 9.2 units, with 8 it is ten billion and 92 billion.",
        tags=["accounts"],
        body=AddOwnUnitBody,
        example={"code": "PT2", "name": "Loyalty points"},
        answer=OwnUnitBody,
        permission="admin:write",
        status=201,
        refusals=(UnitInvalid, UnitConflict, UnitLimitReached),
        change=Change(AddOwnUnit, "ledger.add_own_unit", target="code"),
    )
    async def add_own_unit(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.bodies.take(await request.body())
        require_storable({"/code": requested.code, "/name": requested.name})
        added = await self.ask(
            AddOwnUnit(tenant_id=caller.tenant_id, code=requested.code, name=requested.name, created_by=caller.actor)
        )
        return json_answer(unit_body(added), status=201)
