"""Which roles an account had when an entry was posted."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from libs.common.contracts.ledger_roles import Role
from services.ledger.accounts import RolesInTime, default_account_id

TENANT = "t1"
CHANGED = datetime(2026, 3, 1, tzinfo=UTC)
DEFAULT, OTHER = default_account_id(TENANT, Role.CASH), UUID(int=1)
FEES = default_account_id(TENANT, Role.PROCESSOR_FEES)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
ROLES = RolesInTime(
    TENANT,
    [
        (Role.CASH, OTHER, CHANGED),
        (Role.TAX_RECOVERABLE, FEES, CHANGED),
        (Role.CASH, DEFAULT, CHANGED + DAY),
    ],
)


@pytest.mark.parametrize(
    ("account", "at", "roles"),
    [
        (DEFAULT, CHANGED - DAY, (Role.CASH,)),
        (OTHER, CHANGED - DAY, ()),
        # Posted while the change waited for it, or by a clock that is behind.
        (DEFAULT, CHANGED + SECOND, (Role.CASH,)),
        (OTHER, CHANGED - SECOND, (Role.CASH,)),
        (OTHER, CHANGED, (Role.CASH,)),
        (DEFAULT, CHANGED + DAY / 2, ()),
        (DEFAULT, CHANGED + DAY, (Role.CASH,)),
        (OTHER, CHANGED + 2 * DAY, ()),
        (FEES, CHANGED - DAY, (Role.PROCESSOR_FEES,)),
        (FEES, CHANGED + DAY, (Role.PROCESSOR_FEES, Role.TAX_RECOVERABLE)),
        (UUID(int=2), CHANGED, ()),
        (default_account_id(TENANT, Role.BANK), datetime.max.replace(tzinfo=UTC), (Role.BANK,)),
    ],
)
def test_roles_are_those_of_the_instant(account: UUID, at: datetime, roles: tuple[Role, ...]) -> None:
    assert ROLES.of(account, at) == roles
