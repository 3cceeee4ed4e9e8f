"""Whether the records of who may do what are as they were written."""

from litestar import Response

from libs.common.db import Database
from services.api.http.callers import PLATFORM_TENANT, Caller
from services.api.http.controllers import Resource, operation
from services.api.http.parameters import AnyRequest
from services.api.http.rendering import json_answer
from services.api.integrity.schemas import ChangeVerification, verification_body
from services.api.integrity.sql import showing

_FINDINGS_SHOWN = 100


class ChangesVerified(Resource):
    """Routes: `GET /v1/audit/verification`."""

    database: Database

    @operation(
        "GET",
        "/v1/audit/verification",
        operation_id="getChangeVerification",
        summary="Show whether changes of users, keys and roles are as they were sealed",
        description="Each change of a tenant, its users, API keys and feature flags, and the line of the audit log about it, "
        "is a link of the tenant's chain of hashes. Shown is how far the chain was recomputed and signed, and what was found "
        "changed past the platform; an empty list is good. A platform operator who acts for the platform tenant also sees the "
        "chain of roles, permissions and policies.",
        tags=["audit"],
        answer=ChangeVerification,
        permission="admin:write",
    )
    async def get_change_verification(self, caller: Caller, _: AnyRequest) -> Response[bytes]:
        is_platform = caller.principal.is_global_admin and caller.tenant_id == PLATFORM_TENANT
        tenants = [caller.tenant_id, *([""] if is_platform else [])]
        chains = await showing.chains(self.database, tenants)
        found = await showing.findings(self.database, tenants, limit=_FINDINGS_SHOWN)
        return json_answer(verification_body(chains, found))
