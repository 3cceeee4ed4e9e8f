"""The model of what a rate needs agrees with the budget of a payment, and its page with the tables as they are."""

import re
from collections import Counter

import pytest

from deploy.local import capacity
from deploy.local.bootstrap import SERVICES
from deploy.local.errors import LocalFailure
from deploy.local.layout import ROOT
from tests.integration.test_costs import BYTES, PUBLIC_EVENTS, ROWS
from tests.unit.common.test_tenants_apart import unique_keys

pytestmark = pytest.mark.unit

OVER_HTTP = {"api": 1, "ledger": 1, "notifier": 3}
"""Rows that the budget does not have: of a client that waits, of a claim that was compared, of the attempt at a webhook."""


def test_rows_and_messages_are_those_of_the_budget() -> None:
    budget = Counter(OVER_HTTP)
    for table, rows in ROWS.items():
        budget[table.partition(".")[0]] += rows
    assert {service: cost.rows for service, cost in capacity.COSTS.items()} == dict(budget)
    assert capacity.COSTS.keys() == set(SERVICES)
    assert capacity.PUBLIC_EVENTS == PUBLIC_EVENTS
    assert sum(BYTES.values()) >= capacity.MESSAGE_BYTES


@pytest.mark.parametrize(
    ("rate", "processes", "cells"), [(1, [2, 2, 2, 2], 1), (1_000, [8, 2, 3, 3], 1), (10_000, [75, 13, 28, 23], 10)]
)
def test_a_rate_needs(rate: int, processes: list[int], cells: int) -> None:
    text = capacity.report(rate)
    shown = [re.search(rf"^{service} .* (\d+) +([\d,]+)$", text, re.MULTILINE) for service in SERVICES]
    assert [int(found[1]) for found in shown if found] == processes
    assert [int(found[2].replace(",", "")) for found in shown if found] == [number * 25 for number in processes]
    assert f"cells          {cells} of 1,000 payments a second" in text
    assert f"AMQP messages  {4 * rate:,}/s to other teams" in text


@pytest.mark.parametrize("rate", [0, -1, 1_000_001])
def test_what_is_no_rate_is_refused(rate: int) -> None:
    with pytest.raises(LocalFailure, match="1 to 1,000,000 payments a second"):
        capacity.report(rate)


def test_page_has_every_table_with_a_key_that_lacks_the_tenant() -> None:
    without = {
        table.partition(".")[2] for service in SERVICES for table, key in unique_keys(service) if "tenant_id" not in key
    }
    _, _, rest = (ROOT / "docs" / "scaling.md").read_text().partition("## Citus")
    named = {name for row in re.findall(r"^\| (`.+?) \|", rest, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert named == without
