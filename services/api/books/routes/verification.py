"""Whether the books are as they were written; the ledger verifies them and is asked over the broker."""

from typing import Annotated

import msgspec
from litestar import Response

from libs.common.clock import iso
from libs.common.contracts.ledger_books import GetVerification, Verification
from services.api.http.callers import Caller
from services.api.http.controllers import Resource, operation
from services.api.http.parameters import AnyRequest
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask


class ChainBody(msgspec.Struct, frozen=True, kw_only=True):
    """How far one hash chain has been recomputed."""

    chain: int
    groups: Annotated[int, msgspec.Meta(description="Groups of entries that it has.")]
    verified: Annotated[int, msgspec.Meta(description="Groups that were recomputed, from the first.")]
    checked_at: str | None


class FindingBody(msgspec.Struct, frozen=True, kw_only=True):
    """Something in the books that cannot be."""

    invariant: str
    subject: str
    detail: str
    found_at: str


class VerificationBody(msgspec.Struct, frozen=True, kw_only=True):
    """What the verifier knows."""

    sound: Annotated[bool, msgspec.Meta(description="Whether nothing was ever found.")]
    entries: Annotated[int, msgspec.Meta(description="Entries that were recomputed, of all tenants.")]
    chains: list[ChainBody]
    findings: Annotated[
        list[FindingBody], msgspec.Meta(description="In the tenant's books or in the chains, the latest first.")
    ]


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


def verification_body(known: Verification) -> VerificationBody:
    """Show what the verifier knows as clients see it."""
    return VerificationBody(
        sound=not known.findings,
        entries=known.entries,
        chains=[
            ChainBody(
                chain=chain.chain,
                groups=chain.groups,
                verified=chain.verified,
                checked_at=None if chain.checked_at is None else iso(chain.checked_at),
            )
            for chain in known.chains
        ],
        findings=[
            FindingBody(
                invariant=finding.invariant,
                subject=finding.subject,
                detail=finding.detail,
                found_at=iso(finding.found_at),
            )
            for finding in known.findings
        ],
    )
