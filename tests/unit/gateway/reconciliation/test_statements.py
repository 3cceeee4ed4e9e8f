"""Of thousands of statements in a file each is compared with those next to it alone."""

from datetime import date, timedelta

import pytest

from libs.common.ids import new_id
from services.gateway.reconciliation.imports import statements
from services.gateway.reconciliation.imports.statements import BankStatement, Statements

_DAYS = 200


def test_statements_are_compared_with_those_next_to_them_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [
        BankStatement(
            id=new_id(),
            account="DE1",
            currency="EUR",
            number=str(each),
            opening_minor=each,
            closing_minor=each + 1,
            first_on=date(2020, 1, 1) + timedelta(days=each),
            last_on=date(2020, 1, 2) + timedelta(days=each),
            last_day_minor=1,
        )
        for each in range(_DAYS)
    ]
    compared = 0
    follows = statements._follows

    def counted(one: BankStatement, other: BankStatement) -> bool:
        nonlocal compared
        compared += 1
        return follows(one, other)

    monkeypatch.setattr(statements, "_follows", counted)
    every = Statements(made)
    assert [len(every.apart(each)) for each in made] == [1, *[2] * (_DAYS - 2), 1]
    assert compared <= 4 * _DAYS
