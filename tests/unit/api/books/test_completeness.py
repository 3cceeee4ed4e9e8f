"""Every field of a hold and an account that the ledger shows reaches clients."""

from libs.common.contracts.ledger import Account
from libs.common.contracts.ledger_books import Hold
from services.api.books.schemas.accounts import account_body
from services.api.books.schemas.holds import hold_body
from tests.support.fields import filled, unseen


def test_each_field_of_a_hold_shows_to_clients() -> None:
    assert unseen(filled(Hold, currency="BRL"), hold_body) == set()


def test_each_field_of_an_account_shows_to_clients() -> None:
    assert unseen(filled(Account), account_body) == set()
