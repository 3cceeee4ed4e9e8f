"""What the gateway refuses, and the api passes on: one class for each code."""

from libs.common.errors import CHECK_ID, Conflict, Invalid, NotFound


class GatewayConfigNotFound(NotFound):
    """The tenant has no such gateway configuration."""

    code = "gateway_config_not_found"
    remedy = CHECK_ID


class GatewayConfigConflict(Conflict):
    """Another gateway configuration has this id, or this Stripe account, or its keys were changed at the same time."""

    code = "gateway_config_conflict"
    remedy = (
        "Use another account, or delete the configuration that `detail` names; where it was changed, look and repeat."
    )


class ProcessorAccountChanged(Invalid):
    """The new key is of another account at the processor, or of its other mode, than the key before it."""

    code = "processor_account_changed"
    remedy = "Use a key of the same account and mode; add a configuration for another one."


class ProcessorAccountUnreadable(Invalid):
    """The processor does not let the key read of which account it is."""

    code = "processor_account_unreadable"
    remedy = "Let the restricted key read its account (`GET /v1/account`), and repeat the request."


class DefaultPaymentMethodLive(Invalid):
    """A default payment method cannot be charged in live mode: each payment must name its own."""

    code = "default_payment_method_live"
    remedy = "Leave `payment_method` empty, and name one in each payment intent."


class SetupNotFound(NotFound):
    """The customer has no such setup of a payment method, or was deleted."""

    code = "setup_intent_not_found"
    remedy = CHECK_ID


class SetupRefused(Invalid):
    """The processor refuses to save this payment method."""

    code = "setup_refused"
    remedy = "Send a token of the account that the currency goes through, or none and let the customer enter a card."


class SavedMethodNotFound(NotFound):
    """The customer has no such saved payment method, or it is detached."""

    code = "saved_payment_method_not_found"
    remedy = "Use one of `GET /v1/customers/{id}/payment-methods`."


class ImportSourceNotFound(NotFound):
    """The tenant has no such source of files, or it is deleted."""

    code = "import_source_not_found"
    remedy = CHECK_ID


class ImportNotFound(NotFound):
    """The tenant has no such import."""

    code = "import_not_found"
    remedy = CHECK_ID


class ImportConflict(Conflict):
    """The import is not at this step: its parts are missing, or it is being read already."""

    code = "import_conflict"
    remedy = "Read the import, and send what is missing or begin another one."


class ImportSourceInvalid(Invalid):
    """How the source is to be read makes no sense."""

    code = "import_source_invalid"
    remedy = "Change what `detail` names, and repeat the request."


class ImportSourceUsed(Conflict):
    """The source has lines already, and its files would be read otherwise."""

    code = "import_source_used"
    remedy = "Add another source for the files to come; the name can be changed."


class FileTooLarge(Invalid):
    """The file is larger than is imported at once."""

    code = "file_too_large"
    remedy = "Send the file in several ones, each with its header, or pack it as a ZIP."


class DiscrepancyNotFound(NotFound):
    """The tenant has no such discrepancy."""

    code = "discrepancy_not_found"
    remedy = CHECK_ID


class DiscrepancyDecided(Conflict):
    """The discrepancy is settled already, or is not settled and cannot be reopened."""

    code = "discrepancy_decided"
    remedy = "Read it again: reopen it first where it is settled."


class DiscrepancyNotRepairable(Conflict):
    """Nothing about the discrepancy can be done safely without a person, or the proposal cannot be waited for."""

    code = "discrepancy_not_repairable"
    remedy = (
        "Propose an entry that adjusts the books (`POST /v1/ledger/proposals`), and repeat this with its `proposal_id`."
    )


class ReconciliationRunNotFound(NotFound):
    """The tenant has no such reconciliation run."""

    code = "reconciliation_run_not_found"
    remedy = CHECK_ID


class ReconciliationRunConflict(Conflict):
    """Another reconciliation run has this id."""

    code = "reconciliation_run_conflict"
    remedy = "Request it again with another `Idempotency-Key`."


class ReconciliationPeriodNotFound(NotFound):
    """The tenant has not closed this month."""

    code = "reconciliation_period_not_found"
    remedy = "Use one of `GET /v1/reconciliation/periods`."


class ReconciliationPeriodOpen(Conflict):
    """The month cannot be closed yet: no run has compared all of it, or discrepancies have been open for too long."""

    code = "reconciliation_period_open"
    remedy = "Do what `detail` names; with an `override_reason` the discrepancies may stay open."


class ReconciliationPeriodInvalid(Invalid):
    """This is no month that can be closed: it is not over, or lies before one that is closed, or leaves one out."""

    code = "reconciliation_period_invalid"
    remedy = "Close months one after the other, each once it is over in UTC."


class MatchingRulesInvalid(Invalid):
    """The rules make no sense for what the source is compared with."""

    code = "matching_rules_invalid"
    remedy = "Change what `detail` names, and repeat the request."


class LineMatchNotFound(NotFound):
    """The tenant has no such match."""

    code = "line_match_not_found"
    remedy = CHECK_ID


class LineMatchConflict(Conflict):
    """A line, payout or movement is in another match, or the match is taken apart already."""

    code = "line_match_conflict"
    remedy = "Read the matches of what `detail` names; take the other match apart first where that is wrong."


class LineMatchInvalid(Invalid):
    """What is to be matched does not exist or does not belong together: another currency, or a difference, that is not named."""

    code = "line_match_invalid"
    remedy = "Name what `detail` misses; a difference that is intended is named in `difference_minor`."
