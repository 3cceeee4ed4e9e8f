"""Books that stood before an upgrade are read as before, and by what is new."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg

from deploy.local.bootstrap import bootstrap
from deploy.local.servers import Servers
from libs.common.db.migrate import upgrade
from libs.common.ids import new_id

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)


async def test_minutes_that_were_summed_before_give_the_hours(servers: Servers) -> None:
    name = f"test_upgrade_{uuid4().hex[:12]}"
    await bootstrap(servers.postgres_url, name)
    url = servers.postgres_database_url(name, user="ledger_owner", password="ledger_owner")
    account = new_id()
    # Minutes 0, 59 and 60 of a day, and one of the next.
    minutes = [(MIDNIGHT + timedelta(minutes=m), amount) for m, amount in ((0, 1), (59, 20), (60, 300), (1440, 4000))]
    try:
        await asyncio.to_thread(upgrade, service="ledger", url=url, revision="0005")
        owner = await asyncpg.connect(url, server_settings={"search_path": "ledger"})
        await owner.executemany(
            "INSERT INTO effective_totals (tenant_id, account_id, currency, grain, starts_at, debits_minor, credits_minor) "
            "VALUES ('t', $1, 'BRL', 'MINUTE', $2, $3, 0)",
            [(account, at, amount) for at, amount in minutes],
        )
        await owner.close()
        await asyncio.to_thread(upgrade, service="ledger", url=url)
        owner = await asyncpg.connect(url, server_settings={"search_path": "ledger"})
        rows = await owner.fetch("SELECT starts_at, debits_minor FROM effective_totals WHERE grain = 'HOUR' ORDER BY 1")
        await owner.close()
    finally:
        admin = await asyncpg.connect(servers.postgres_url)
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()
    assert [tuple(row) for row in rows] == [
        (MIDNIGHT, 21),
        (MIDNIGHT + timedelta(hours=1), 300),
        (MIDNIGHT + timedelta(days=1), 4000),
    ]
