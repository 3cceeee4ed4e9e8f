"""Which parameters each call takes: those that are served here, and those that Stripe takes and the stand-in does not.

A parameter that Stripe does not know is refused as Stripe does. One that only Stripe knows is refused too, in words of our
own, so that nobody believes it had an effect. A test compares the names with those of the pinned SDK.
"""

from typing import Any

import msgspec

from deploy.fake_stripe.refusals import Refusal, invalid


class Parameters(msgspec.Struct, frozen=True):
    """The parameters of one call, beside `expand`."""

    served: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    """Stripe's, and not served."""

    def check(self, params: dict[str, Any]) -> None:
        """Refuse parameters that the call does not take.

        Raises:
            Refusal: naming the first of them.
        """
        for name in params:
            if name in self.served or name == "expand":
                continue
            if name in self.elsewhere:
                message = f"The stand-in does not serve the parameter {name}, which Stripe has."
                raise Refusal(501, message, kind="api_error", param=name, is_executed=False)
            raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")


def _of(served: str = "", elsewhere: str = "") -> Parameters:
    return Parameters(frozenset(served.split()), frozenset(elsewhere.split()))


_PAGE = "created ending_before limit starting_after"

NONE = _of()
CREATE_PAYMENT_INTENT = _of(
    "allowed_payment_method_types amount application_fee_amount automatic_payment_methods capture_method confirm currency customer description "
    "error_on_requires_action metadata off_session payment_method payment_method_data payment_method_types receipt_email return_url",
    "amount_details confirmation_method confirmation_token customer_account "
    "excluded_payment_method_types hooks mandate mandate_data on_behalf_of payment_details payment_method_configuration "
    "payment_method_options radar_options setup_future_usage shipping statement_descriptor "
    "statement_descriptor_suffix transfer_data transfer_group use_stripe_sdk",
)
CONFIRM_PAYMENT_INTENT = _of(
    "capture_method error_on_requires_action off_session payment_method payment_method_data return_url",
    "allowed_payment_method_types amount_details amount_to_confirm confirmation_token excluded_payment_method_types hooks "
    "mandate mandate_data payment_details payment_method_options radar_options receipt_email "
    "setup_future_usage shipping use_stripe_sdk",
)
CAPTURE_PAYMENT_INTENT = _of(
    "amount_to_capture application_fee_amount metadata",
    "amount_details final_capture hooks payment_details statement_descriptor statement_descriptor_suffix transfer_data",
)
CANCEL_PAYMENT_INTENT = _of("cancellation_reason")
RETRIEVE_PAYMENT_INTENT = _of("", "client_secret")
LIST_PAYMENT_INTENTS = _of(f"{_PAGE} customer", "customer_account")
SEARCH_PAYMENT_INTENTS = _of("limit query", "page")
LIST_CHARGES = _of(f"{_PAGE} customer payment_intent", "transfer_group")
CREATE_CUSTOMER = _of(
    "description email metadata name phone",
    "address balance business_name cash_balance individual_name invoice_prefix invoice_settings next_invoice_sequence "
    "payment_method preferred_locales shipping source tax tax_exempt tax_id_data test_clock validate",
)
UPDATE_CUSTOMER = _of(
    "description email metadata name phone",
    "address balance business_name cash_balance default_source individual_name invoice_prefix invoice_settings "
    "next_invoice_sequence preferred_locales shipping source tax tax_exempt validate",
)
LIST_CUSTOMERS = _of(f"{_PAGE} email", "test_clock")
SEARCH_CUSTOMERS = _of("limit query", "page")
ATTACH_PAYMENT_METHOD = _of("customer", "customer_account")
LIST_PAYMENT_METHODS = _of(f"{_PAGE} customer type".replace("created ", ""), "allow_redisplay customer_account")
LIST_PAYMENT_METHODS_OF = _of(f"{_PAGE} type".replace("created ", ""), "allow_redisplay")
CREATE_SETUP_INTENT = _of(
    "allowed_payment_method_types automatic_payment_methods confirm customer description metadata payment_method return_url usage",
    "attach_to_self confirmation_token customer_account excluded_payment_method_types flow_directions mandate_data on_behalf_of "
    "payment_method_configuration payment_method_data payment_method_options single_use use_stripe_sdk",
)
CONFIRM_SETUP_INTENT = _of(
    "payment_method return_url",
    "allowed_payment_method_types confirmation_token mandate_data payment_method_data payment_method_options use_stripe_sdk",
)
CANCEL_SETUP_INTENT = _of("cancellation_reason")
RETRIEVE_SETUP_INTENT = _of("", "client_secret")
CREATE_REFUND = _of(
    "amount charge metadata payment_intent reason refund_application_fee",
    "currency customer instructions_email origin reverse_transfer",
)
UPDATE_REFUND = _of("metadata")
LIST_REFUNDS = _of(f"{_PAGE} charge payment_intent")
LIST_APPLICATION_FEES = _of(f"{_PAGE} charge")
LIST_BALANCE_TRANSACTIONS = _of(f"{_PAGE} currency payout source type")
LIST_DISPUTES = _of(f"{_PAGE} charge payment_intent")
UPDATE_DISPUTE = _of("evidence metadata submit", "intended_submission_method")
CREATE_PAYOUT = _of(
    "amount currency description metadata method source_type statement_descriptor", "destination payout_method"
)
REVERSE_PAYOUT = _of("metadata")
LIST_PAYOUTS = _of(f"{_PAGE} arrival_date status", "destination")
LIST_EVENTS = _of(f"{_PAGE} delivery_success type types")
CREATE_WEBHOOK_ENDPOINT = _of("api_version connect description enabled_events metadata url")
CREATE_EVENT_DESTINATION = _of(
    "description enabled_events event_payload events_from include metadata name type webhook_endpoint",
    "amazon_eventbridge azure_event_grid snapshot_api_version",
)
FIND_EVENT_DESTINATION = _of("include")
LIST_WEBHOOK_ENDPOINTS = _of("ending_before limit starting_after")
