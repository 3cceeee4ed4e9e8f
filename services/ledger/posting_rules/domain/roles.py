"""Which accounts can play which role: read off the rules themselves. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import product
from types import MappingProxyType
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_movements import FeeKind, MovementKind
from libs.common.contracts.ledger import Side
from libs.common.contracts.ledger_errors import RoleConflict, RoleUnfit
from libs.common.contracts.ledger_roles import Role
from services.ledger.accounts import ROLES
from services.ledger.core import Account, Chart, Entry, Exchange
from services.ledger.posting_rules.domain.conversion import Conversion, conversion_entries
from services.ledger.posting_rules.domain.movements import Movement, available_entries, movement_entries
from services.ledger.posting_rules.domain.payments import PAYMENT_RULES, Occurrence


@cache
def opposites() -> Mapping[Role, frozenset[Role]]:
    """Return which roles must be played by different accounts: those that some rule debits and credits against each other.

    One account on both sides would leave the entry of that event without effect.
    """
    found: dict[Role, set[Role]] = {role: set() for role in Role}
    # With a statement, only the reversal of a dispute's decision is booked.
    occurrences = (_SOMETHING, msgspec.structs.replace(_SOMETHING, by_statement=True, reversals=1))
    entries = [rule(PROBE, happened) for rule in PAYMENT_RULES.values() for happened in occurrences]
    for entry in (*entries, *conversion_entries(PROBE, _CONVERTED)):
        met = set(roles_of(entry))
        for role in met:
            found[role] |= met - {role}
    for entry in _moved():
        # Roles on one side of a movement, such as fees and the tax on them, may be played by one account.
        debited, credited = (
            {_ROLE_OF[line.account_id] for line in entry.lines if line.side is side}
            for side in (Side.DEBIT, Side.CREDIT)
        )
        for one, other in product(debited, credited):
            found[one].add(other)
            found[other].add(one)
    return MappingProxyType({role: frozenset(others) for role, others in found.items()})


def _moved() -> Iterable[Entry]:
    """Movements of every kind, as they usually are, with and without an exchange."""
    for kind, (sign, fees) in _MOVED.items():
        for source in ("", "EUR"):
            moved = Movement(
                id=UUID(int=1),
                kind=kind,
                gateway_ref="",
                payment_intent_id=UUID(int=1),
                amount_minor=4 * sign,
                currency="USD",
                fees=fees,
                source_amount_minor=4 * sign if source else 0,
                source_currency=source,
                occurred_at=_NOW,
            )
            yield from movement_entries(PROBE, moved)
            yield from available_entries(PROBE, moved)


def roles_of(entry: Entry) -> list[Role]:
    """Return which role each line of an entry that was made with the probing chart plays."""
    return [_ROLE_OF[line.account_id] for line in entry.lines]


def check_role(role: Role, account: Account, chart: Chart) -> None:
    """Make sure that an account can play a role beside those that play the others.

    What happened at the processor cannot be refused, whatever its currency, so an account with limits plays no role.

    Raises:
        RoleUnfit: when its type does not fit, it has a floor or a ceiling, or does not take every currency.
        RoleConflict: when it plays a role already that a rule sets against this one.
    """
    fitting = ROLES[role].account_types
    if account.account_type not in fitting:
        names = " or ".join(fitting)
        raise RoleUnfit(
            f"{role} must be played by an account of type {names}; {account.code} is of type {account.account_type}",
            errors=(("/account", f"must be an account of type {names}"),),
        )
    if account.floor_minor is not None or account.ceiling_minor is not None or account.currencies is not None:
        raise RoleUnfit(
            f"{account.code} has a floor, a ceiling or a choice of currencies, and {role} must take whatever happens",
            errors=(("/account", "must have no floor, no ceiling, and take every currency"),),
        )
    for other in sorted(opposites()[role]):
        if chart.roles[other] == account.id:
            raise RoleConflict(f"{account.code} plays {other}, which a posting rule sets against {role}")


_ROLE_OF: Mapping[UUID, Role] = MappingProxyType({UUID(int=number): role for number, role in enumerate(Role, start=1)})

PROBE = Chart(tenant_id="probe", roles={role: account_id for account_id, role in _ROLE_OF.items()})
"""A chart whose account ids show which role they play: what a rule does can be read off its entry."""

_NOW = datetime(1970, 1, 1, tzinfo=UTC)

_FEES = ((FeeKind.PROCESSOR, 1), (FeeKind.TAX, 1), (FeeKind.PLATFORM, 1))

_MOVED: Mapping[MovementKind, tuple[int, tuple[tuple[FeeKind, int], ...]]] = {
    MovementKind.CHARGE: (1, _FEES),
    MovementKind.RELEASE: (-1, ()),
    MovementKind.REFUND: (-1, ()),
    MovementKind.REFUND_FAILURE: (1, ()),
    MovementKind.DISPUTE: (-1, _FEES),
    MovementKind.DISPUTE_REVERSAL: (1, ()),
    MovementKind.PAYOUT: (-1, ()),
    MovementKind.PAYOUT_RETURN: (1, ()),
    MovementKind.FEE: (-1, ()),
    MovementKind.TAX: (-1, ()),
    MovementKind.RESERVE: (-1, ()),
    MovementKind.PLATFORM_EARNING: (1, ()),
    MovementKind.PLATFORM_EARNING_REFUND: (-1, ()),
    MovementKind.PLATFORM_FEE_REFUND: (1, ()),
    MovementKind.OPENING: (1, ()),
    MovementKind.OTHER: (1, ()),
}
"""Which way each kind of movement goes, and what is kept of it."""

_CONVERTED = Conversion(
    id=UUID(int=1),
    from_account_id=PROBE.roles[Role.CASH],
    to_account_id=PROBE.roles[Role.CASH],
    from_currency="USD",
    to_currency="EUR",
    # With a gain, so that every role of the rule takes part.
    amounts=Exchange(sold_minor=1, bought_minor=1, valued_minor=2),
    occurred_at=_NOW,
)

_SOMETHING = Occurrence(
    subject_id=UUID(int=1),
    payment_intent_id=None,
    amount_minor=1,
    currency="USD",
    occurred_at=_NOW,
    source_event_id=None,
)
