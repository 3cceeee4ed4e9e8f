"""What is to become of payments, and what is saved of customers beforehand."""

import random
from collections.abc import Iterator
from typing import Any

import msgspec

from deploy.fake_stripe import setups
from deploy.fake_stripe.books import Books
from tests.support.platform import Client

SAVED = ("pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired")
"""The cards that a customer has saved: one that is charged, one that is declined, one that needs a proof that nobody gives."""
_PAYER = {
    "name": "Ana Souza",
    "email": "ana@example.com",
    "tax_id": "000.000.000-00",
    "address": {
        "line1": "Rua A, 1",
        "city": "São Paulo",
        "state": "SP",
        "postal_code": "01000-000",
        "country": "BR",
    },
}


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """What is to become of a payment."""

    card: str = "pm_card_visa"
    """Stripe's name of the payment method."""
    is_manual: bool = False
    """Whether the merchant captures it."""
    is_saved: bool = False
    """Whether the customer has saved the card, and is not there."""
    slip: str = ""
    """`pix` or `boleto`, instead of a card."""
    then: str = ""
    """What happens to the hold of a manual one: `capture`, `part`, `void`, `expire`, `by hand`; to a decline: `paid`, by another card
    with the client secret; instead of a proof: `replace`, another card; to a code or a slip: `pay`, `lapse`, `late`: paid once it
    has expired, `void`."""

    @property
    def name(self) -> str:
        """What it is called where it is counted."""
        return f"{'saved ' if self.is_saved else ''}{self.slip or self.card.removeprefix('pm_card_')}"

    def body(self, amount: int, currency: str, saved: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """The request that creates the payment, of an amount in minor units; `saved` is what `save_cards` has returned."""
        body: dict[str, Any] = {
            "amount": f"{amount // 100}.{amount % 100:02}",
            "currency": "BRL" if self.slip else currency,
            "customer_ref": "proof",
            "capture_method": "manual" if self.is_manual else "automatic",
        }
        if self.slip:
            return body | {"payment_method_type": self.slip, "billing_details": _PAYER}
        return body | (saved[self.card] if self.is_saved else {"payment_method": self.card})


COURSES = (
    *(Course(),) * 12,
    *(Course(card="pm_card_bypassPending"),) * 3,
    *(Course(card="pm_card_pendingRefund"),) * 3,
    *(Course(card="pm_card_refundFail"),) * 2,
    *(Course(is_manual=True, then="part"),) * 3,
    *(Course(is_manual=True, then=then) for then in ("capture", "void", "void", "expire", "by hand", "by hand")),
    *(Course(card="pm_card_chargeDeclined", then="paid"),) * 2,
    *(Course(card="pm_card_threeDSecure2Required", then="replace"),) * 2,
    *(
        Course(card=card)
        for card in (
            "pm_card_createDispute",
            "pm_card_createDisputeInquiry",
            "pm_card_chargeDeclined",
            "pm_card_captureDeclined",
            "pm_card_threeDSecure2Required",
        )
    ),
    *(Course(slip=slip, then=then) for slip in ("pix", "boleto") for then in ("pay", "pay", "lapse", "late", "void")),
    *(Course(card=card, is_saved=True) for card in (SAVED[0], *SAVED)),
)
"""Drawn for each payment; the most frequent ones several times."""


def drawn(chance: random.Random) -> Iterator[Course]:
    """Draw courses for ever, at first one of each kind of payment, so that few payments are of many kinds."""
    kinds = {
        (course.slip, course.is_saved, course.is_manual): course for course in chance.sample(COURSES, len(COURSES))
    }
    first = list(kinds.values())
    chance.shuffle(first)
    yield from first
    while True:
        yield chance.choice(COURSES)


async def save_cards(merchant: Client, books: Books) -> dict[str, dict[str, Any]]:
    """Let a customer of the merchant save the cards, and return what names each in a payment for which nobody is there.

    Raises:
        AssertionError: when one is not saved.
    """
    made = await merchant.call("POST", "/v1/customers", {"reference": "proof"}, key="the-customer")
    assert made.status == 201, made.raw
    owner, found = f"/v1/customers/{made.json['id']}", {}
    for card in SAVED:
        body = {"currency": "BRL", "payment_method": card, "return_url": "https://shop.example/back"}
        setup = await merchant.call("POST", f"{owner}/setup-intents", body, key=card)
        assert setup.status == 201, setup.raw
        if setup.json["status"] != "SUCCEEDED":
            setups.prove(books, [*books.setup_intents.values()][-1], is_proven=True)
            setup = await merchant.call("GET", f"{owner}/setup-intents/{setup.json['id']}")
        assert setup.json["status"] == "SUCCEEDED", setup.raw
        found[card] = {
            "customer": made.json["id"],
            "payment_method": setup.json["payment_method"],
            "off_session": True,
        }
    return found
