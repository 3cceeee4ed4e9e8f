"""Every type of balance transaction and of fee that the pinned SDK knows has a meaning here, or a reason why it has none."""

import ast
import inspect
import re
from itertools import chain

import stripe

from services.gateway.processors.stripe import statement

UNNAMED = {
    "adjustment": "means what its reporting category and its source say",
    "application_fee_refund": "means what its sign says",
    **dict.fromkeys(
        ("advance", "advance_funding", "anticipation_repayment"), "Stripe lends: another contract than payments"
    ),
    **dict.fromkeys(
        ("climate_order_purchase", "climate_order_refund", "contribution"), "bought by the account's owner"
    ),
    "connect_collection_transfer": "a platform takes what a connected account owes",
    **dict.fromkeys(("fee_credit_funding", "tax_fund"), "a grant of Stripe's, or what it keeps of it"),
    **dict.fromkeys(("inbound_transfer", "inbound_transfer_reversal"), "money from the owner's bank"),
    **dict.fromkeys(
        (
            "issuing_authorization_hold",
            "issuing_authorization_release",
            "issuing_dispute",
            "issuing_dispute_provisional_credit",
            "issuing_dispute_provisional_credit_reversal",
            "issuing_transaction",
        ),
        "cards that the owner issues",
    ),
    **dict.fromkeys(("obligation_outbound", "obligation_reversal_inbound"), "of a financing account"),
    **dict.fromkeys(("payment_reversal", "payment_unreconciled"), "a bank transfer that belongs to no payment of ours"),
    **dict.fromkeys(
        ("stripe_balance_payment_debit", "stripe_balance_payment_debit_reversal"),
        "bought by the owner from the balance",
    ),
    **dict.fromkeys(("topup", "topup_reversal"), "money from the owner's bank"),
    **dict.fromkeys(
        ("transfer", "transfer_cancel", "transfer_failure", "transfer_refund"),
        "between a platform and its accounts; we have direct charges",
    ),
}
"""The types that are suspended, or that more than the type tells apart, and why."""
PROCESSORS_OWN = {"payment_method_passthrough_fee", "stripe_fee"}


def closed_set(name: str) -> set[str]:
    """The words of a member of the SDK's balance transaction, as its source declares them."""
    tree = ast.parse(inspect.getsource(stripe.BalanceTransaction)).body[0]
    assert isinstance(tree, ast.ClassDef)
    declared = next(
        node.annotation
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name
    )
    return {each.value for each in ast.walk(declared) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def test_each_type_of_movement_is_named_or_has_a_reason() -> None:
    known = closed_set("type")
    assert len(known) > 40
    assert known - {*statement._KINDS} == {*UNNAMED}
    assert not {*UNNAMED} & {*statement._KINDS}


def test_each_type_of_fee_is_named_or_is_the_processors() -> None:
    described = re.search(r"Type of the fee, one of: (.+)\.\n", inspect.getsource(stripe.BalanceTransaction.FeeDetail))
    assert described is not None
    assert {*re.findall(r"`(\w+)`", described.group(1))} == {*statement._FEES} | PROCESSORS_OWN


def test_no_category_or_type_is_held_that_nobody_reports() -> None:
    """What is named here and unknown to the SDK: by a name alone, from Stripe's pages of types and categories."""
    assert {*chain(statement._KINDS, statement._DISPUTES)} - closed_set("type") == {
        *("network_cost", "dispute", "dispute_reversal")
    }
