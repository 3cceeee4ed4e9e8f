"""What was demanded by one switch before there were policies is the first policy of its tenant."""

import asyncpg
import pytest

from deploy.local.servers import Servers
from libs.common.contracts.ledger_policy import ApprovalRule
from libs.common.db.migrate import statements
from services.ledger.policies.sql import latest_policy
from tests.support.databases import fresh_database

_BEFORE = """
DROP TABLE approval_rules, approval_policies, policy_changes;
GRANT INSERT, UPDATE ON journal_policies TO ledger_app;
INSERT INTO journal_policies VALUES ('demands', true, 'ana', now()), ('demands-no-more', false, 'bob', now());
UPDATE alembic_version SET version_num = '0020';
"""


async def test_switch_of_before_becomes_the_first_policy(servers: Servers) -> None:
    async with fresh_database(servers, ("ledger",)) as database, database.open("ledger") as books:
        owner = await asyncpg.connect(database.url("ledger_owner"), server_settings={"search_path": "ledger"})
        try:
            await owner.execute(_BEFORE)
            await owner.execute(statements(service="ledger", revisions="0020:0021"))
        finally:
            await owner.close()
        async with books.connection() as connection:
            policy, rules = await latest_policy(connection, "demands")
            assert policy is not None
            assert (policy.revision, policy.changed_by, rules) == (1, "ana", [ApprovalRule()])
            policy, rules = await latest_policy(connection, "demands-no-more")
            assert policy is not None
            assert (policy.revision, rules) == (1, [])
            assert await latest_policy(connection, "another") == (None, [])
            # A process of before would write what is in no policy.
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("UPDATE journal_policies SET manual_entries_need_approval = false")
