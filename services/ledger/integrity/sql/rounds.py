"""When each invariant of the balances was last looked at, so that the processes share the work."""

from libs.common.db import Connection
from libs.common.db.statements import Statement

# In one order, so that two processes that start at once do not wait for each other in a circle.
_BEGIN = Statement("""
INSERT INTO invariant_checks (invariant) SELECT unnest(:invariants::text[]) ORDER BY 1 ON CONFLICT DO NOTHING
""")

# By the database's clock, which all processes share. One that another process looks at is left to it.
_CLAIM = Statement("""
SELECT invariant FROM invariant_checks WHERE invariant = ANY(:invariants::text[])
AND (checked_at IS NULL OR checked_at <= now() - make_interval(secs => :age_max))
ORDER BY checked_at NULLS FIRST, invariant LIMIT 1 FOR UPDATE SKIP LOCKED
""")

# Under the lock of its claim.
_REMEMBER = Statement("""
UPDATE invariant_checks SET checked_at = now(), result = :result WHERE invariant = :invariant
""")

# Also of another process: each shows in its metrics what is true of the books, not what it happened to look at.
_RESULT = Statement("SELECT result FROM invariant_checks WHERE invariant = :invariant")


async def begin(connection: Connection, invariants: list[str]) -> None:
    """Begin to look at the invariants that are new."""
    await _BEGIN.execute(connection, invariants=invariants)


async def claim(tx: Connection, invariants: list[str], *, age_max: float) -> str | None:
    """Claim the invariant that was looked at longest ago until the transaction ends, if that was so many seconds ago."""
    found: str | None = await _CLAIM.fetchval(tx, invariants=invariants, age_max=age_max)
    return found


async def remember(tx: Connection, invariant: str, *, result: int) -> None:
    """Write down what was found of a claimed invariant."""
    await _REMEMBER.execute(tx, invariant=invariant, result=result)


async def result(connection: Connection, invariant: str) -> int:
    """Return what whoever looked last has found of an invariant."""
    return int(await _RESULT.fetchval(connection, invariant=invariant) or 0)
