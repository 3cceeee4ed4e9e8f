"""That the database was restored: written down by an operator's command, among what operators did."""

import msgspec

from libs.common.db import Database
from libs.common.db.statements import Statement
from libs.common.messaging import write_down
from services.gateway.operations.domain.restored import LostTime

_ACTION = "database.restored"

# A handful of rows, whoever wrote them; each process reads them once.
_LOST = Statement("SELECT detail FROM operator_actions WHERE action = :action ORDER BY id")


async def lost(database: Database) -> list[LostTime]:
    """Read them, the oldest first."""
    rows = await _LOST.fetch(database, action=_ACTION)
    return [msgspec.json.decode(row["detail"], type=LostTime) for row in rows]


async def lose(database: Database, lost: LostTime, *, actor: str) -> None:
    """Write one down."""
    detail = msgspec.json.encode(lost).decode()
    async with database.transaction() as tx:
        await write_down(tx, actor=actor, action=_ACTION, subject="database", detail=detail)
