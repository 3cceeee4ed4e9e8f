"""The refusals of the ledger, by name. Each has a stable problem code of its own."""

from libs.common.errors import Conflict, Forbidden, Invalid, NotFound


class EntryInvalid(Invalid):
    """A line or the entry as a whole has content that no book can hold."""

    code = "entry_invalid"


class EntryUnbalanced(Invalid):
    """The debits of an entry are not equal to its credits."""

    code = "entry_unbalanced"


class CurrencyMixed(Invalid):
    """The lines of one entry are in more than one currency."""

    code = "entry_currency_mixed"


class AccountUnknown(Invalid):
    """A line names an account that is not in the tenant's chart."""

    code = "account_unknown"


class EntryConflict(Conflict):
    """The entry's id stands in the books already, with other content."""

    code = "entry_conflict"


class BalanceOverflow(Conflict):
    """A posting would take an account's debits or credits beyond what the books can hold."""

    code = "balance_overflow"


class CurrencyNotTaken(Invalid):
    """A line is in a currency that its account does not take."""

    code = "currency_not_taken"


class FloorCrossed(Conflict):
    """An account would have less available than its floor allows."""

    code = "floor_crossed"


class CeilingCrossed(Conflict):
    """An account would hold more than its ceiling allows."""

    code = "ceiling_crossed"


class PeriodClosed(Conflict):
    """An entry belongs into a period that is closed."""

    code = "period_closed"


class PeriodInvalid(Invalid):
    """A period cannot be closed as requested."""

    code = "period_invalid"


class EntryNotFound(NotFound):
    """The tenant's books have no such entry."""

    code = "entry_not_found"


class EntryNotReversible(Conflict):
    """The entry is a reversal itself, or has been taken back already by another one."""

    code = "entry_not_reversible"


class HoldNotFound(NotFound):
    """The tenant has no such hold."""

    code = "hold_not_found"


class HoldConflict(Conflict):
    """There is a hold of this id already, with other content."""

    code = "hold_conflict"


class HoldResolved(Conflict):
    """The hold has been captured, voided or has expired."""

    code = "hold_resolved"


class HoldExceeded(Conflict):
    """A capture asks for more than is held."""

    code = "hold_exceeded"


class AccountCodeTaken(Conflict):
    """The tenant's chart has an account of this code already."""

    code = "account_code_taken"


class AccountIdTaken(Conflict):
    """The tenant's chart has an account of this id already, with other content."""

    code = "account_id_taken"


class AccountInvalid(Invalid):
    """An account's code or label cannot be used."""

    code = "account_invalid"


class RoleUnfit(Invalid):
    """An account of this type cannot play the role."""

    code = "account_role_unfit"


class RoleConflict(Conflict):
    """The account plays a role already that a posting rule sets against this one."""

    code = "account_role_conflict"


class RoleActorInvalid(Invalid):
    """A change of the configuration without somebody who makes it."""

    code = "account_role_actor_invalid"


class RateInvalid(Invalid):
    """An exchange rate that cannot be recorded."""

    code = "exchange_rate_invalid"


class RateConflict(Conflict):
    """Another rate of the same pair takes effect at the same instant."""

    code = "exchange_rate_conflict"


class RateUnknown(NotFound):
    """No recorded rate leads from one currency to the other at that instant."""

    code = "exchange_rate_not_found"


class ConversionInvalid(Invalid):
    """A conversion that is not possible as requested."""

    code = "conversion_invalid"


class ConversionTooSmall(Invalid):
    """An amount is worth less than the smallest unit of the other currency."""

    code = "conversion_too_small"


class ConversionTooLarge(Invalid):
    """An amount is worth more in the other currency than an entry can hold."""

    code = "conversion_too_large"


class ConversionConflict(Conflict):
    """There is a conversion of this id, with other content."""

    code = "conversion_conflict"


class ConversionUnknown(NotFound):
    """The tenant has no conversion of this id."""

    code = "conversion_not_found"


class QueryInvalid(Invalid):
    """A question that cannot be answered as it is put."""

    code = "query_invalid"


class JournalKeyReused(Invalid):
    """The idempotency key belongs to a request with other content."""

    code = "idempotency_key_reused"


class ApprovalRequired(Conflict):
    """The tenant lets nobody post entries by hand alone: they are proposed, and somebody else approves."""

    code = "approval_required"


class ProposalNotFound(NotFound):
    """This tenant has no such proposal."""

    code = "proposal_not_found"


class ProposalDecided(Conflict):
    """Somebody has decided about the proposal otherwise."""

    code = "proposal_decided"


class ProposalExpired(Conflict):
    """Nobody decided about the proposal in time."""

    code = "proposal_expired"


class SelfApproval(Forbidden):
    """Who proposes does not decide."""

    code = "self_approval"
