"""What a change of a dispute's amount was in the payment's currency: the dispute's amount now, less what moved before."""

from collections.abc import Mapping, Sequence

import msgspec

from services.gateway.processors.port.reading import StatementMovement


def with_changes(
    moved: Sequence[StatementMovement], before: Mapping[str, Mapping[str, int]]
) -> list[StatementMovement]:
    """Return movements, those of a dispute whose amount has changed with the difference that its own amounts make.

    The processor shows a change in the settlement's currency alone. Where a unit of that is worth many of the payment's, the rate
    gives the amount within half of them; and what the dispute is of now looks the same as a change by about half. The
    difference counts where it is the same at the rate, give or take what both are rounded by; else what was read stays, and the rest
    stands where the movements are booked. `before` has what is recorded, by dispute and movement.
    """
    standing = {dispute: dict(amounts) for dispute, amounts in before.items()}
    whole = {}
    for each in sorted(moved, key=lambda found: (found.created_at, found.ref)):
        of_dispute = standing.setdefault(each.source_ref, {})
        amount = each.source_amount_minor
        if each.source_total_minor is not None and amount is not None:
            others = sum(known for ref, known in of_dispute.items() if ref != each.ref)
            exact = -each.source_total_minor - others
            if _is_same(exact, amount, settled=each.amount_minor):
                amount = exact
                whole[each.ref] = msgspec.structs.replace(each, source_amount_minor=exact)
        if amount is not None:
            # What is recorded is never changed.
            of_dispute.setdefault(each.ref, amount)
    return [whole.get(each.ref, each) for each in moved]


def _is_same(exact: int, read: int, *, settled: int) -> bool:
    """Whether two amounts are the same in the settlement's currency; `read` is worth `settled`.

    Give or take two units: what was read is within a unit and a half of what moved, and the change within a half.
    """
    return exact * read > 0 and abs(exact - read) * abs(settled) <= 2 * abs(read)
