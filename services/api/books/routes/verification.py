"""Whether the books are as they were written; the ledger verifies them and answers over the broker."""

from litestar import Response

from libs.common.contracts.ledger_books import GetVerification
from services.api.books.schemas.verification import VerificationBody, verification_body
from services.api.http.callers import Caller
from services.api.http.controllers import Resource, operation
from services.api.http.parameters import AnyRequest
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask


class Verifications(Resource):
    """Routes: `GET /v1/ledger/verification`."""

    ask: Ask

    @operation(
        "GET",
        "/v1/ledger/verification",
        operation_id="getLedgerVerification",
        summary="Verify the books",
        description="The ledger recomputes its hash chains continuously, by code that shares nothing with what writes "
        "them; this is how far it has come and what it has found.",
        tags=["ledger"],
        answer=VerificationBody,
        permission="ledger:read",
    )
    async def get_ledger_verification(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        return json_answer(verification_body(await self.ask(GetVerification(tenant_id=caller.tenant_id))))
