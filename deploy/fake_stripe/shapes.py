"""How a new payment intent, charge and refund look: every member that Stripe shows, most of them empty."""

from typing import Any

from deploy.fake_stripe.books import Books, Object, new_id
from deploy.fake_stripe.cards import Card

_EXPIRES_IN_YEAR = 2_034


def payment_intent(books: Books, *, amount: int, currency: str, **members: Any) -> Object:
    """A payment intent that nothing has happened to."""
    identifier = new_id("pi")
    intent: Object = {
        "id": identifier,
        "object": "payment_intent",
        "allowed_payment_method_types": None,
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{identifier}_{new_id('secret')}",
        "confirmation_method": "automatic",
        "created": books.now(),
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": books.livemode,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }
    return intent | members


def charge(books: Books, intent: Object, card: Card, *, is_authenticated: bool) -> Object:
    """A charge of a payment intent, as the issuer answered it; nothing is captured yet."""
    identifier = new_id("ch")
    amount = intent["amount"]
    return {
        "id": identifier,
        "object": "charge",
        "amount": amount,
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": books.settings.application if intent["application_fee_amount"] else None,
        "application_fee": None,
        "application_fee_amount": intent["application_fee_amount"],
        "balance_transaction": None,
        "billing_details": {
            "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
            "email": None,
            "name": None,
            "phone": None,
            "tax_id": None,
        },
        "calculated_statement_descriptor": "STAND-IN",
        "captured": False,
        "created": books.now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": card.code or None,
        "failure_message": card.message or None,
        "fraud_details": {},
        "livemode": books.livemode,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": _outcome(card),
        "paid": not card.code,
        "payment_intent": intent["id"],
        "payment_method": intent["payment_method"],
        "payment_method_details": {
            "card": _card_details(amount, card, is_authenticated=is_authenticated),
            "type": "card",
        },
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "failed" if card.code else "succeeded",
        "transfer_data": None,
        "transfer_group": None,
        "_released": 0,
    }


def payment_method(books: Books, card: Card, *, kind: str = "card", tax_id: str = "") -> Object:
    """A payment method that is attached to nobody and was not used yet."""
    details: Object = {
        "card": {
            "brand": card.brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
            "country": "US",
            "display_brand": card.brand,
            "exp_month": 12,
            "exp_year": _EXPIRES_IN_YEAR,
            "fingerprint": f"standin{card.last4}",
            "funding": "credit",
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "boleto": {"tax_id": tax_id},
        "pix": {"fingerprint": None},
    }
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
            "email": None,
            "name": None,
            "phone": None,
            "tax_id": None,
        },
        "created": books.now(),
        "customer": None,
        "customer_account": None,
        "livemode": books.livemode,
        "metadata": {},
        "type": kind,
        kind: details[kind],
        "_is_set_up": False,
        "_is_used": False,
    }


def _outcome(card: Card) -> Object:
    return {
        "advice_code": card.advice_code,
        "network_advice_code": card.network_advice_code,
        "network_decline_code": card.network_decline_code,
        "network_status": "declined_by_network" if card.code else "approved_by_network",
        "reason": card.decline_code or None,
        "risk_level": "normal",
        "risk_score": 12,
        "seller_message": "The bank did not return any further details with this decline."
        if card.code
        else "Payment complete.",
        "type": "issuer_declined" if card.code else "authorized",
    }


def _card_details(amount: int, card: Card, *, is_authenticated: bool) -> Object:
    proof = {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": None,
        "version": "2.2.0",
    }
    return {
        "amount_authorized": None if card.code else amount,
        "authorization_code": None if card.code else "123456",
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "exp_month": 12,
        "exp_year": _EXPIRES_IN_YEAR,
        "extended_authorization": {"status": "disabled"},
        "fingerprint": f"standin{card.last4}",
        "funding": "credit",
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": card.last4,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": card.brand,
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "regulated_status": "unregulated",
        "three_d_secure": proof if is_authenticated else None,
        "transaction_link_id": None,
        "wallet": None,
    }


def refund(books: Books, of: Object, *, amount: int, reason: str | None, metadata: dict[str, str]) -> Object:
    """A refund of a charge, done."""
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": of["id"],
        "created": books.now(),
        "currency": of["currency"],
        "customer": None,
        "customer_account": None,
        "destination_details": {
            "card": {
                "reference": "7478306228592147",
                "reference_status": "available",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        },
        "metadata": metadata,
        "payment_intent": of["payment_intent"],
        "payment_method": of["payment_method"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


_REQUIREMENTS: Object = {
    "alternatives": [],
    "current_deadline": None,
    "currently_due": [],
    "disabled_reason": None,
    "errors": [],
    "eventually_due": [],
    "past_due": [],
    "pending_verification": [],
}


def account(books: Books) -> Object:
    """The account itself."""
    settings = books.settings
    descriptors = ("statement_descriptor", "statement_descriptor_kana", "statement_descriptor_kanji")
    prefixes = tuple(name.replace("descriptor", "descriptor_prefix") for name in descriptors)
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    return {
        "id": books.account_id,
        "object": "account",
        "business_profile": {
            "annual_revenue": None,
            "estimated_worker_count": None,
            "mcc": None,
            "minority_owned_business_designation": None,
            "name": "Stand-in",
            "product_description": None,
            "support_address": address,
            "support_email": None,
            "support_phone": None,
            "support_url": None,
            "url": None,
        },
        "business_type": None,
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "controller": {"type": "account"},
        "country": settings.country,
        "created": 1_700_000_000,
        "default_currency": settings.default_currency,
        "details_submitted": True,
        "email": None,
        "external_accounts": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/accounts/{books.account_id}/external_accounts",
        },
        "future_requirements": _REQUIREMENTS,
        "metadata": {},
        "payouts_enabled": True,
        "requirements": _REQUIREMENTS,
        "settings": {
            "bacs_debit_payments": {"display_name": None, "service_user_number": None},
            "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
            "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
            "card_payments": {"decline_on": {"avs_failure": False, "cvc_failure": False}} | dict.fromkeys(prefixes),
            "dashboard": {"display_name": "Stand-in", "timezone": "Etc/UTC"},
            "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": None},
            "payments": dict.fromkeys((*descriptors, *prefixes[1:])),
            "payouts": {
                "debit_negative_balances": True,
                "schedule": {"delay_days": settings.delay_days, "interval": settings.payouts.value},
                "statement_descriptor": None,
            },
            "sepa_debit_payments": {},
        },
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": "standard",
    }
