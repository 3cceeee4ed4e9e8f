"""What the ledger refuses, and the api passes on: one class for each code."""

from libs.common.errors import CHECK_ID, FIX, Conflict, Forbidden, Invalid, NotFound


class EntryNotFound(NotFound):
    """The tenant's books have no such entry."""

    code = "entry_not_found"
    remedy = CHECK_ID


class EntryConflict(Conflict):
    """An entry of this id stands in the books with other content."""

    code = "entry_conflict"
    remedy = "Use a new id for a new entry."


class EntryNotReversible(Conflict):
    """The entry is a reversal itself."""

    code = "entry_not_reversible"
    remedy = "Post what is right as a new entry."


class EntryInvalid(Invalid):
    """The entry or hold has content that no book can hold."""

    code = "entry_invalid"
    remedy = FIX


class EntryUnbalanced(Invalid):
    """The debits of an entry are not equal to its credits."""

    code = "entry_unbalanced"
    remedy = FIX


class CurrencyMixed(Invalid):
    """The lines of an entry are in several currencies."""

    code = "entry_currency_mixed"
    remedy = FIX


class AccountUnknown(Invalid):
    """The chart has no account of this code."""

    code = "account_unknown"
    remedy = "See `GET /v1/accounts`."


class CurrencyNotTaken(Invalid):
    """An account does not take the currency."""

    code = "currency_not_taken"
    remedy = "Use one of its currencies."


class FloorCrossed(Conflict):
    """An account has not that much available above its floor."""

    code = "floor_crossed"
    remedy = "Take less."


class CeilingCrossed(Conflict):
    """An account would exceed its ceiling."""

    code = "ceiling_crossed"
    remedy = "Move less to it."


class BalanceOverflow(Conflict):
    """An account would hold more than can be counted."""

    code = "balance_overflow"
    remedy = "Use another account."


class PeriodClosed(Conflict):
    """The entry belongs into a closed period."""

    code = "period_closed"
    remedy = "Post it into the open period that the detail names."


class PeriodInvalid(Invalid):
    """The period cannot be closed like this."""

    code = "period_invalid"
    remedy = FIX


class CalendarInvalid(Invalid):
    """There is no such calendar to keep books by."""

    code = "calendar_invalid"
    remedy = FIX


class UnitInvalid(Invalid):
    """No own unit can have this code or this name."""

    code = "unit_invalid"
    remedy = FIX


class UnitConflict(Conflict):
    """The tenant has an own unit of this code with another name."""

    code = "unit_conflict"
    remedy = "Use another code."


class UnitLimitReached(Conflict):
    """The tenant has as many own units as it may have."""

    code = "unit_limit_reached"
    remedy = "Use one of those that are there."


class HoldNotFound(NotFound):
    """The tenant has no such hold."""

    code = "hold_not_found"
    remedy = CHECK_ID


class HoldConflict(Conflict):
    """There is a hold of this id with other content."""

    code = "hold_conflict"
    remedy = "Use a new id."


class HoldResolved(Conflict):
    """The hold has been captured, voided or has expired."""

    code = "hold_resolved"
    remedy = "Place a new hold."


class HoldExceeded(Conflict):
    """More is to be captured than is held."""

    code = "hold_exceeded"
    remedy = "Capture less."


class AccountCodeTaken(Conflict):
    """The chart has an account of this code."""

    code = "account_code_taken"
    remedy = "Choose another code."


class AccountIdTaken(Conflict):
    """The chart has an account of this id."""

    code = "account_id_taken"
    remedy = "Retry."


class AccountInvalid(Invalid):
    """An account's code, label, limits or currencies cannot be used."""

    code = "account_invalid"
    remedy = FIX


class RoleUnfit(Invalid):
    """An account of this type cannot play the role."""

    code = "account_role_unfit"
    remedy = FIX


class RoleConflict(Conflict):
    """The account plays a role already that a posting rule sets against this one."""

    code = "account_role_conflict"
    remedy = "Choose another account."


class RateInvalid(Invalid):
    """The exchange rate cannot be recorded."""

    code = "exchange_rate_invalid"
    remedy = FIX


class RateConflict(Conflict):
    """Another rate of the pair takes effect at the same instant."""

    code = "exchange_rate_conflict"
    remedy = "Correct it by one that takes effect later."


class RateUnknown(NotFound):
    """No recorded rate leads from one currency to the other at that instant."""

    code = "exchange_rate_not_found"
    remedy = "Record a rate of the pair, or of both with USD or EUR."


class ConversionInvalid(Invalid):
    """The conversion cannot be made like this."""

    code = "conversion_invalid"
    remedy = FIX


class ConversionTooSmall(Invalid):
    """An amount is worth less than the smallest unit of the other currency."""

    code = "conversion_too_small"
    remedy = "Convert more at once."


class ConversionTooLarge(Invalid):
    """An amount is worth more in the other currency than an entry can hold."""

    code = "conversion_too_large"
    remedy = "Convert less at once."


class ConversionOutsideBand(Invalid):
    """What was received is further from the known rate than a conversion may be without an approval."""

    code = "conversion_outside_band"
    remedy = "Check the amount; record the rate that it was, or propose entries by hand, which somebody else approves."


class ConversionConflict(Conflict):
    """There is a conversion of this id with other content."""

    code = "conversion_conflict"
    remedy = "Use a new id for a new conversion."


class ConversionUnknown(NotFound):
    """The tenant has no such conversion."""

    code = "conversion_not_found"
    remedy = CHECK_ID


class QueryInvalid(Invalid):
    """The query of the books is invalid."""

    code = "query_invalid"
    remedy = FIX


class ApprovalRequired(Conflict):
    """The tenant lets nobody do it alone: an entry, hold, reversal or conversion that a rule names, or a change of the rules."""

    code = "approval_required"
    remedy = "Propose it: `POST /v1/ledger/proposals`, or `POST /v1/ledger/policy/changes` for the rules."


class PolicyInvalid(Invalid):
    """The policy cannot be: it has too many rules, or a rule that contradicts itself."""

    code = "policy_invalid"
    remedy = FIX


class PolicyChangeNotFound(NotFound):
    """The tenant has no such change of its policy."""

    code = "policy_change_not_found"
    remedy = CHECK_ID


class PolicyChangeConflict(Conflict):
    """There is a change of the policy of this id with other content."""

    code = "policy_change_conflict"
    remedy = "Use a new id for a new change."


class PolicyChangeDecided(Conflict):
    """The change of the policy was decided otherwise, or nobody decided in time."""

    code = "policy_change_decided"
    remedy = "Propose the change again."


class PolicyChangeOutdated(Conflict):
    """The policy has changed since the change was proposed, so who decides would not decide about what was proposed."""

    code = "policy_change_outdated"
    remedy = "Look at the policy as it is now, and propose the change again."


class ProposalNotFound(NotFound):
    """The tenant has no such proposal."""

    code = "proposal_not_found"
    remedy = CHECK_ID


class ProposalDecided(Conflict):
    """The proposal was decided otherwise."""

    code = "proposal_decided"
    remedy = "Propose the entries again."


class ProposalExpired(Conflict):
    """Nobody decided in time."""

    code = "proposal_expired"
    remedy = "Propose the entries again."


class SelfApproval(Forbidden):
    """Who proposes does not decide."""

    code = "self_approval"
    remedy = "Let somebody else decide."
