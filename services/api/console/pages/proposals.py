"""Proposals: what one person wants to be booked and another one decides about, and the policy that demands it."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from libs.common.ids import new_id
from services.api.console.declared import Act, Column, Filter, Kind, Listing, Page, View
from services.api.console.pages.entries import turnover
from services.api.console.showing import buttons_of, rows_of
from services.api.console.visits import Visit


def _row(proposal: Mapping[str, Any]) -> Mapping[str, Any]:
    lines = [line for entry in proposal["entries"] for line in entry["lines"]]
    return {**proposal, "amounts": turnover(lines), "number": len(proposal["entries"])}


LIST = Listing(
    operation="listProposals",
    filters=(Filter(name="status", title="Status", choices=("open", "approved", "rejected", "expired")),),
    columns=(
        Column(member="reason", title="Reason", link="/console/proposals/{id}"),
        Column(member="status", title="Status", kind=Kind.STATE, tones={"open": "waiting"}),
        Column(member="amounts", title="Amount", kind=Kind.AMOUNTS),
        Column(member="number", title="Entries", kind=Kind.COUNT, is_minor=True),
        Column(member="made_by", title="Proposed by"),
        Column(member="made_at", title="Proposed", kind=Kind.TIME),
        Column(member="decided_by", title="Decided by", is_minor=True),
        Column(member="expires_at", title="Expires", kind=Kind.TIME, is_minor=True),
    ),
    acts=(Act(operation="proposeLedgerEntries", title="New entry", page="/console/compose"),),
    shape=_row,
    empty="No proposal is like this. What needs two people is proposed with a new entry, and appears here.",
)


async def show_proposal(visit: Visit, proposal_id: str) -> View:
    """Show what a proposal would post, and let somebody else decide."""
    proposal = await visit.read("getProposal", path={"proposal_id": proposal_id})
    return View(
        template="proposal.html",
        title=proposal["reason"],
        values={
            "proposal": proposal,
            "amounts": _row(proposal)["amounts"],
            "decision": await _decision(visit, proposal, "approveProposal", "rejectProposal", "proposal_id"),
        },
    )


async def _decision(
    visit: Visit, thing: Mapping[str, Any], approve: str, reject: str, parameter: str
) -> dict[str, Any] | None:
    """Return what both buttons need; None where nothing is to be decided by whoever looks."""
    if thing["status"] != "open" or not await visit.may(approve):
        return None
    return {
        "acts": [(approve, "Approve", False, str(new_id())), (reject, "Reject", True, str(new_id()))],
        "parameter": parameter,
        "is_own": thing["made_by"] == visit.session.name,
    }


PROPOSALS = Page(
    key="proposals",
    title="Proposals",
    needs="listProposals",
    group="Books",
    show=LIST,
    one=show_proposal,
)


async def show_policy(visit: Visit) -> View:
    """Show what nobody may do alone, and who has changed that."""
    policy, changes = await asyncio.gather(
        visit.read("getApprovalPolicy"),
        visit.read("listPolicyChanges", limit="25", cursor=visit.query.get("cursor", "")),
    )
    now = urlencode({"rules": msgspec.json.encode(policy["rules"]).decode()}) if policy["rules"] else ""
    acts = (
        Act(
            operation="proposePolicyChange",
            title="Change the policy",
            page=f"/console/do/proposePolicyChange?{now}" if now else "",
        ),
        Act(operation="putLedgerSettings", title="Demand a second person for everything"),
    )
    return View(
        template="policy.html",
        values={
            "policy": policy,
            "changes": rows_of(changes),
            "next": changes["next_cursor"],
            "buttons": await buttons_of(visit, acts if not policy["rules"] else acts[:1], {}),
        },
    )


async def show_change(visit: Visit, change_id: str) -> View:
    """Show a change of the policy beside the policy that it would replace."""
    change, policy = await asyncio.gather(
        visit.read("getPolicyChange", path={"change_id": change_id}), visit.read("getApprovalPolicy")
    )
    return View(
        template="policy_change.html",
        title=change["reason"],
        values={
            "change": change,
            "policy": policy,
            "decision": await _decision(visit, change, "approvePolicyChange", "rejectPolicyChange", "change_id"),
        },
    )


POLICY = Page(
    key="policy",
    title="Approval policy",
    needs="getApprovalPolicy",
    group="Books",
    show=show_policy,
    one=show_change,
)
