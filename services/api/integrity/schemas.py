"""The verification of changes, as clients see it."""

import msgspec

from libs.common.clock import iso
from services.api.integrity.sql.showing import ShownChain, ShownFinding


class ChangeChainBody(msgspec.Struct, frozen=True, kw_only=True):
    """A chain of sealed changes, and what was proved of it."""

    tenant_id: str
    """Whose it is; empty: of what is no tenant's, such as roles and policies."""
    changes: int
    """How many it has."""
    verified: int
    """Up to which one it was recomputed."""
    checked_at: str | None
    """When."""
    signed: int
    """Up to which one its end was signed; 0: nothing was."""
    statement: int | None
    """The number of the signed statement that has it."""


class ChangeFindingBody(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was changed past the platform."""

    tenant_id: str
    invariant: str
    """`row_sealed`, `change_sealed`, `change_linked` or `heads_signed`."""
    subject: str
    detail: str
    found_at: str


class ChangeVerification(msgspec.Struct, frozen=True, kw_only=True):
    """How far changes of who may do what were verified, and what was found."""

    chains: list[ChangeChainBody]
    findings: list[ChangeFindingBody]


def verification_body(chains: list[ShownChain], findings: list[ShownFinding]) -> ChangeVerification:
    """Show what was verified as those see it who may."""
    return ChangeVerification(
        chains=[
            ChangeChainBody(
                tenant_id=chain.tenant_id,
                changes=chain.changes,
                verified=chain.verified,
                checked_at=None if chain.checked_at is None else iso(chain.checked_at),
                signed=chain.signed,
                statement=chain.statement,
            )
            for chain in chains
        ],
        findings=[
            ChangeFindingBody(
                tenant_id=finding.tenant_id,
                invariant=finding.invariant,
                subject=finding.subject,
                detail=finding.detail,
                found_at=iso(finding.found_at),
            )
            for finding in findings
        ],
    )
