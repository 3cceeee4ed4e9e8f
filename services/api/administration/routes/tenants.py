"""Tenants, for operators of the platform."""

from litestar import Response
from msgspec import UNSET

from libs.common.db import Database
from services.api.administration import queries, sql
from services.api.administration.commands import Administration
from services.api.administration.schemas import (
    PutTenant,
    TenantBody,
    TenantList,
    named_tenant,
    stated_tenant,
    tenant_body,
)
from services.api.http.bodies import BodyReader
from services.api.http.callers import Caller
from services.api.http.controllers import Resource, audit_action, operation
from services.api.http.parameters import AnyRequest, Query, QueryParameter
from services.api.http.rendering import json_answer
from services.api.http.requests import refuse_key
from services.api.identity_errors import TenantNotFound

TENANTS, TENANTS_MAX = 50, 200
_PERMISSION = "admin:write"
_PATH = (
    QueryParameter(
        name="tenant_id",
        description="The tenant: 1 to 64 visible characters; a UUID for tenants of the suite.",
        shape={"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[!-~]+$"},
    ),
)


class Tenants(Resource):
    """Routes of tenants."""

    administration: Administration
    database: Database

    bodies = BodyReader(PutTenant)

    @operation(
        "GET",
        "/v1/tenants",
        operation_id="listTenants",
        summary="List tenants",
        description="In the order of their ids, whatever their status.",
        tags=["administration"],
        answer=TenantList,
        permission=_PERMISSION,
        operator_for="tenants",
        query=(
            QueryParameter(
                name="limit",
                description="Tenants at most.",
                shape={"type": "integer", "minimum": 1, "maximum": TENANTS_MAX, "default": TENANTS},
            ),
            QueryParameter(
                name="after",
                description="The `next_after` of the page before.",
                shape={"type": "string", "maxLength": 64},
            ),
        ),
    )
    async def list_tenants(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        limit = query.integer("limit", default=TENANTS, at_least=1, at_most=TENANTS_MAX)
        after = query.text("after", length_max=64) or ""
        # One row more than the page: it shows whether there is a next one.
        rows = await sql.tenants(self.database, after=after, limit=limit + 1)
        shown = rows[:limit]
        next_after = shown[-1].id if len(rows) > limit else None
        return json_answer(TenantList(data=[tenant_body(each) for each in shown], next_after=next_after))

    @operation(
        "GET",
        "/v1/tenants/{tenant_id:str}",
        operation_id="getTenant",
        summary="Get a tenant",
        tags=["administration"],
        answer=TenantBody,
        permission=_PERMISSION,
        operator_for="tenants",
        path_parameters=_PATH,
        refusals=(TenantNotFound,),
    )
    async def get_tenant(self, caller: Caller, request: AnyRequest, tenant_id: str) -> Response[bytes]:
        return json_answer(tenant_body(await queries.tenant(self.database, named_tenant(tenant_id))))

    @operation(
        "PUT",
        "/v1/tenants/{tenant_id:str}",
        operation_id="putTenant",
        summary="Make a tenant known, or change it",
        description="A new one gets its default accounts in the ledger. A tenant that is SUSPENDED or DELETED is refused at once, in "
        "every process, and keeps its history; a change without `status` leaves it as it is. What the suite states of it "
        "afterwards counts again.",
        tags=["administration"],
        body=PutTenant,
        example={"name": "Acme", "plan": "pro", "region": "sa-east-1"},
        answer=TenantBody,
        audit="tenant.put",
        permission=_PERMISSION,
        key="refused",
        operator_for="tenants",
        path_parameters=_PATH,
    )
    async def put_tenant(self, caller: Caller, request: AnyRequest, tenant_id: str) -> Response[bytes]:
        body = await self.bodies.take(await request.body())
        stated = stated_tenant(tenant_id, body)
        refuse_key(request.headers)
        tenant = await self.administration.put_tenant(
            caller, stated, states_status=body.status is not UNSET, action=audit_action()
        )
        return json_answer(tenant_body(tenant))
