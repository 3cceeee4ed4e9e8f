"""What the verifier of the books knows, as clients see it."""

from typing import Annotated

import msgspec

from libs.common.clock import iso
from libs.common.contracts.ledger_books import Verification


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
