"""What people enter, before it is posted."""

import hashlib
from uuid import UUID

import msgspec

from libs.common.contracts.ledger import AccountType, Side
from libs.common.contracts.ledger_journal import ManualEntry, ManualLine, Mode
from services.ledger.core import Account
from services.ledger.manual_entries.domain import fingerprint, identified, manual_entry
from tests.support.fields import NOW, filled, unseen

ACCOUNTS = {
    code: Account(tenant_id="t", id=UUID(int=number), code=code, label="L", account_type=AccountType.ASSET)
    for number, code in enumerate(("first", "second", "other"), start=1)
}
DEBIT = ManualLine(account="first", side=Side.DEBIT, amount="1.50", currency="BRL")
CREDIT = ManualLine(account="second", side=Side.CREDIT, amount="1.50", currency="BRL")
NOT_CONTENT = {"id": "names the entry"}
"""Members of an entry that do not make it another one, each with the reason."""


def content_of(entry: ManualEntry) -> str:
    return manual_entry(entry, tenant_id="t", accounts=ACCOUNTS, missing_units=(), now=NOW).content


async def test_the_fingerprint_is_that_of_the_whole_whatever_its_length() -> None:
    for count in (0, 1, 200, 201, 450):
        entries = [ManualEntry(description=f"{n}", lines=[]) for n in range(count)]
        whole = hashlib.sha256(msgspec.json.encode((Mode.ATOMIC, entries))).digest()
        assert await fingerprint(Mode.ATOMIC, entries) == whole


async def test_each_entry_has_the_id_of_its_place() -> None:
    entries = [ManualEntry(description="same", lines=[])] * 450
    once, again = await identified(entries, source="s"), await identified(entries, source="s")
    assert once == again
    assert len({entry.id for entry in once}) == 450
    assert (await identified(once[:3], source="other")) == once[:3]


def test_each_member_of_an_entry_is_content() -> None:
    entry = filled(ManualEntry, lines=[DEBIT, CREDIT], kind="year_end")
    others = [DEBIT, msgspec.structs.replace(CREDIT, account="other")]
    assert unseen(entry, content_of, lines=others, kind="revaluation") == NOT_CONTENT.keys()


def test_each_member_of_a_line_is_content() -> None:
    def content(debit: ManualLine) -> str:
        sides = {Side.DEBIT: Side.CREDIT, Side.CREDIT: Side.DEBIT}
        credit = msgspec.structs.replace(debit, account="second", side=sides[debit.side])
        return content_of(filled(ManualEntry, lines=[debit, credit], kind="year_end"))

    assert unseen(DEBIT, content, account="other", amount="2.50") == set()


def test_content_of_an_entry_stays_as_earlier_versions_made_it() -> None:
    made = content_of(ManualEntry(id=UUID(int=9), description="d", occurred_at=NOW, lines=[CREDIT, DEBIT]))
    assert made == (
        'manual entry ["d","2026-04-01T12:00:00Z",[["00000000-0000-0000-0000-000000000001","DEBIT",150,"BRL"],'
        '["00000000-0000-0000-0000-000000000002","CREDIT",150,"BRL"]]]'
    )
