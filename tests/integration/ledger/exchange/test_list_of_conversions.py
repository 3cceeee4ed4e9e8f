"""Conversions are listed page by page, the newest ids first, and each tenant has its own."""

import msgspec
import pytest

from libs.common.contracts.ledger_errors import QueryInvalid
from libs.common.contracts.ledger_money import ListConversions, MoneyConversion, PostConversion
from libs.common.cursors import cursor_text
from libs.common.ids import new_id
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.exchange.test_money import record


async def converted(ledger: Ledger, tenant_id: str) -> MoneyConversion:
    """Exchange money once more."""
    return await ledger.exchange.on_post_conversion(
        PostConversion(
            tenant_id=tenant_id,
            conversion_id=new_id(),
            from_currency="USD",
            to_currency="BRL",
            amount_minor=10_000,
            actor="a",
        )
    )


async def test_every_conversion_is_on_one_page_the_newest_first(ledger: Ledger, tenant_id: str) -> None:
    await record(ledger, tenant_id, "USD/BRL", "5")
    made = [await converted(ledger, tenant_id) for _ in range(5)]
    request, found = ListConversions(tenant_id=tenant_id, limit=2), list[MoneyConversion]()
    while True:
        page = await ledger.exchange.on_list_conversions(request)
        found += page.conversions
        if page.next_cursor is None:
            break
        assert len(page.conversions) == 2
        request = msgspec.structs.replace(request, cursor=page.next_cursor)
    assert found == made[::-1]
    stranger = await ledger.exchange.on_list_conversions(ListConversions(tenant_id=f"{tenant_id}-other"))
    assert (stranger.conversions, stranger.next_cursor) == ([], None)


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"cursor": "?"}, {"cursor": ""}, {"cursor": cursor_text(b"short")}])
async def test_a_wrong_page_is_refused(ledger: Ledger, tenant_id: str, wrong: dict[str, object]) -> None:
    with pytest.raises(QueryInvalid):
        await ledger.exchange.on_list_conversions(
            msgspec.structs.replace(ListConversions(tenant_id=tenant_id), **wrong)
        )
