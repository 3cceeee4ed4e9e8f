"""Every field of a hold, an account and an entry that the ledger shows reaches clients, and what they send reaches it."""

from functools import partial

import msgspec

from libs.common.contracts.ledger import Account, JournalEntry, PostingLine
from libs.common.contracts.ledger_books import Hold
from libs.common.contracts.ledger_units import OwnUnit
from services.api.books.schemas.accounts import account_body
from services.api.books.schemas.entries import entry_body
from services.api.books.schemas.holds import hold_body
from services.api.books.schemas.journal import EntryLine, NewEntry, manual_entry
from services.api.books.schemas.units import unit_body
from tests.support.fields import filled, unseen


def test_each_field_of_a_hold_shows_to_clients() -> None:
    assert unseen(filled(Hold, currency="BRL"), hold_body) == set()


def test_each_field_of_an_account_shows_to_clients() -> None:
    assert unseen(filled(Account), account_body) == set()


def test_each_field_of_an_own_unit_shows_to_clients() -> None:
    assert unseen(filled(OwnUnit), unit_body) == set()


def test_each_field_of_an_entry_shows_to_clients() -> None:
    line = filled(PostingLine, currency="BRL")
    entry = filled(JournalEntry, lines=[line])
    assert unseen(entry, entry_body, lines=[line, line]) == set()
    assert unseen(line, lambda other: entry_body(msgspec.structs.replace(entry, lines=[other]))) == set()


def test_each_member_of_an_entry_by_hand_reaches_the_ledger() -> None:
    line = filled(EntryLine, amount=msgspec.Raw(b'"1.50"'), currency="BRL")
    entry = filled(NewEntry, lines=[line])
    read = partial(manual_entry, place=0)
    assert unseen(entry, read, lines=[line, line]) == set()
    of_line = unseen(
        line, lambda other: read(msgspec.structs.replace(entry, lines=[other])), amount=msgspec.Raw(b'"2.50"')
    )
    assert of_line == set()
