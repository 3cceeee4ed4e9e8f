"""What the pages of the books compute by themselves: sums, months, minor units, and what their declarations name."""

import pytest

from services.api.console.calling import Refused
from services.api.console.declared import Act, Detail, Listing, Page
from services.api.console.operations import Operations
from services.api.console.pages import PAGES
from services.api.console.pages.composing import lines_of, sums_of
from services.api.console.pages.entries import turnover
from services.api.console.pages.files import minor
from services.api.console.pages.months import month_around, named_month
from services.api.console.showing import linked, segment, segment_value
from services.api.routing import document, resources

RESOURCES = resources(is_local=True)
OPERATIONS = Operations(RESOURCES, lambda: document(RESOURCES))


def test_sums_are_exact_by_currency_and_side() -> None:
    form: dict[str, str] = {}
    for number, account, side, amount, currency in (
        (0, "A", "DEBIT", "0.10", "brl"),
        (1, "B", "CREDIT", "0.3", "BRL"),
        (3, "C", "DEBIT", "0.20", "BRL"),
        (4, "D", "DEBIT", "1E+999999", "USD"),
        (5, "E", "DEBIT", "", "JPY"),
    ):
        line = {"account": account, "side": side, "amount": amount, "currency": currency}
        form |= {f"line.{number}.{name}": value for name, value in line.items()}
    lines = lines_of(form)

    assert [line["account"] for line in lines] == ["A", "B", "C", "D", "E"]
    found = {each.currency: (each.debits, each.credits, each.is_balanced) for each in sums_of(lines)}
    assert found == {"BRL": ("0.30", "0.3", True), "USD": ("0", "0", True)}


def test_turnover_counts_debits_alone() -> None:
    lines = [
        {"side": "DEBIT", "amount": "12345678901234.05", "currency": "BRL"},
        {"side": "DEBIT", "amount": "0.10", "currency": "BRL"},
        {"side": "CREDIT", "amount": "12345678901234.15", "currency": "BRL"},
    ]

    assert turnover(lines) == [{"amount": "12345678901234.15", "currency": "BRL"}]


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [("-2.5", "BRL", -250), (" 3 ", "jpy", 3), ("0.125", "KWD", 125), ("7.10", "JPY", None)],
)
def test_a_difference_is_read_into_minor_units(text: str, code: str, expected: int | None) -> None:
    if expected is not None:
        assert minor(text, code, name="difference") == expected
        return
    with pytest.raises(Refused) as refused:
        minor(text, code, name="difference")
    assert refused.value.problem["code"] == "invalid_amount"


def test_months_have_their_days_and_neighbours() -> None:
    assert named_month("2028-02") == ("2028-02-01", "2028-02-29")
    assert [named_month(text) for text in ("2028-13", "0000-01", "2028", "x")] == [None] * 4
    assert month_around("2026-12") == ("2026-11", "2027-01")
    assert month_around("2026-01") == ("2025-12", "2026-02")


def test_any_code_of_an_account_is_one_segment_of_an_address() -> None:
    for code in ("CASH", "VAT 10%", "4000 Vendas/à vista", "%2F", "a?b#c"):
        address = linked("/console/accounts/{code}", {"code": code})
        assert address == f"/console/accounts/{segment(code)}"
        assert address.count("/") == 3
        # Servers decode a path once.
        assert segment_value(segment_value(segment(code))) == code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.key)
def test_a_page_names_operations_and_parameters_that_there_are(page: Page) -> None:
    assert page.needs in OPERATIONS
    acts: list[Act] = []
    if isinstance(page.show, Listing):
        declared = OPERATIONS[page.show.operation].declaration
        takes = {parameter.name for parameter in declared.query}
        assert {each.name for each in page.show.filters} <= takes
        assert not {*page.show.fixed} - takes
        acts += [*page.show.acts, *page.show.row_acts]
    if isinstance(page.one, Detail):
        assert page.one.parameter in OPERATIONS[page.one.operation].parameters
        acts += page.one.acts
        for panel in page.one.panels:
            if panel.operation:
                assert {*panel.path} == {*OPERATIONS[panel.operation].parameters}
                assert {*panel.query} <= {parameter.name for parameter in OPERATIONS[panel.operation].declaration.query}
            acts += panel.acts
    assert {act.operation for act in acts} <= {operation.id for operation in OPERATIONS}
