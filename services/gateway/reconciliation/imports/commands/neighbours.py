"""Which statements of other files are next to those of a file, on a day that both have."""

from collections.abc import Sequence

from libs.common.db import Connection
from services.gateway.reconciliation.imports import sql
from services.gateway.reconciliation.imports.sql import Apart, Claimed
from services.gateway.reconciliation.imports.statements import BankStatement, Statements


async def next_to(
    tx: Connection, file: Claimed, statements: Sequence[BankStatement]
) -> tuple[list[Apart], list[BankStatement]]:
    """Find the statements of other files that have lines of the same days, and none that a statement of this file has.

    Returns them, and the statements of this file that no other file has had.
    """
    if not statements:
        return [], []
    days = {day for each in statements for day in (each.first_on, each.last_on)}
    known = await sql.statements_around(
        tx,
        file.tenant_id,
        file.source_id,
        accounts=sorted({each.account for each in statements}),
        first_on=min(days),
        last_on=max(days),
    )
    here = {each.key for each in statements}
    of_others = {each.id for each in known if each.key not in here}
    known_keys = {each.key for each in known}
    fresh = [each for each in statements if each.key not in known_keys]
    if not of_others:
        return [], fresh
    every = Statements([*(each for each in known if each.id in of_others), *statements])
    found = [
        Apart(statement_id=each.id, other_id=other) for each in statements for other in every.apart(each) & of_others
    ]
    return found, fresh
