"""Each way by which an insider changes who may do what past the platform, done on a real database, and found and named.

`docs/tamper-evidence.md` prints the table; a test holds it to this one.
"""

from pathlib import Path

import asyncpg
import msgspec

from deploy.local.servers import Servers
from services.api.integrity.sql.changes import SEALED
from tests.integration.api.integrity.conftest import CHAINS, TENANT, Scene, scene
from tests.support.databases import ROOT

PAGE = ROOT / "docs" / "tamper-evidence.md"
_TABLES = {*SEALED, "audit_log", "sealed_changes", "signed_heads"}
RUNTIME, OWNER = "runtime role", "owner"
_ROW, _LINK, _HEADS = "row_sealed", "change_linked", "heads_signed"


class Tampering(msgspec.Struct, frozen=True, kw_only=True):
    """What an insider does, and how it is found."""

    who: str = OWNER
    does: str
    """As the page has it."""
    sql: str
    finding: str = _ROW
    tenant_id: str = TENANT
    """Whose chain or row is named."""
    subject: str
    """How the subject of the finding begins."""
    names: str
    """What its detail names."""


def _of(tenant_id: str, sequence: str) -> str:
    return f"tenant_id = '{tenant_id}' AND sequence {sequence}"


_CUT, _LEFT, _REMOVED, _ADDED, _SWAPPED, _EDITED = CHAINS
_USER = "SELECT id, 'eve@example.com', password_hash, tenant_id, '{admin}', now() FROM users WHERE email = 'maria@example.com'"
TAMPERINGS = [
    Tampering(who=RUNTIME, does="sets `signed_ends` back", finding=_HEADS, tenant_id=_CUT, subject="ends", names="signed_ends",
              sql=f"UPDATE signed_ends SET sequence = sequence - 1 WHERE tenant_id = '{_CUT}'"),
    Tampering(does="gives a user other roles", subject="users", names="roles",
              sql="UPDATE users SET roles = '{admin}' WHERE email = 'maria@example.com'"),
    Tampering(does="sets the password of a user", subject="users", names="password_hash_sha256",
              sql="UPDATE users SET password_hash = 'of-eve' WHERE email = 'maria@example.com'"),
    Tampering(does="lets a disabled user in", subject="users", names="disabled_at",
              sql="UPDATE users SET disabled_at = NULL WHERE email = 'maria@example.com'"),
    Tampering(does="adds a user", subject="users", names="without a sealed change",
              sql="INSERT INTO users (id, email, password_hash, tenant_id, roles, created_at) "
                  + _USER.replace("SELECT id", "SELECT gen_random_uuid()")),
    Tampering(does="adds a user, and a seal of them before the begin of a chain", subject="users", names="without a sealed change",
              sql="INSERT INTO users (id, email, password_hash, tenant_id, roles, created_at) "
                  + _USER.replace("SELECT id, 'eve", "SELECT gen_random_uuid(), 'carl") + ";"
                  + "INSERT INTO sealed_changes SELECT tenant_id, 0, 'users', jsonb_build_array(id)::text, 'INSERT', "
                    "(to_jsonb(u) - 'password_hash')::text, 'api_app', now(), '', '', '' FROM users AS u WHERE email LIKE 'carl%'"),
    Tampering(does="removes a user", subject="users", names="the row is missing",
              sql="DELETE FROM users WHERE email = 'maria@example.com'"),
    Tampering(does="lets a role do more", tenant_id="", subject="role_permissions", names="without a sealed change",
              sql="INSERT INTO role_permissions VALUES ('clerk', 'admin:write')"),
    Tampering(does="adds a role", tenant_id="", subject="roles", names="without a sealed change",
              sql="INSERT INTO roles VALUES ('auditor', 'Reads.')"),
    Tampering(does="changes what a permission is for", tenant_id="", subject="permissions", names="description",
              sql="UPDATE permissions SET description = 'Nothing.' WHERE name = 'admin:write'"),
    Tampering(does="widens a policy", tenant_id="", subject="policies", names="allowed_plans",
              sql="UPDATE policies SET allowed_plans = '{}' WHERE permission = 'payments:read'"),
    Tampering(does="makes a revoked key valid", subject="api_keys", names="revoked_at",
              sql=f"UPDATE api_keys SET revoked_at = NULL WHERE tenant_id = '{TENANT}'"),
    Tampering(does="lets a key do more", subject="api_keys", names="scopes",
              sql=f"UPDATE api_keys SET scopes = '{{admin:write}}' WHERE tenant_id = '{TENANT}'"),
    Tampering(does="gives a key another secret", subject="api_keys", names="secret_hash_sha256",
              sql=f"UPDATE api_keys SET secret_hash = sha256('of eve') WHERE tenant_id = '{TENANT}'"),
    Tampering(does="lets a suspended tenant in", subject="tenants", names="status",
              sql=f"UPDATE tenants SET status = 'ACTIVE' WHERE id = '{TENANT}'"),
    Tampering(does="switches a feature", subject="feature_flags", names="is_enabled",
              sql="UPDATE feature_flags SET is_enabled = true"),
    Tampering(does="changes what an operator did to messages", tenant_id="", subject="operator_actions",
              names="detail_sha256", sql="UPDATE operator_actions SET detail = '[]'"),
    Tampering(does="changes who did it in the audit log", subject="audit_log", names="actor",
              sql=f"UPDATE audit_log SET actor = 'nobody' WHERE tenant_id = '{TENANT}' AND action = 'command.revoke-key'"),
    Tampering(does="removes the line of the audit log", subject="audit_log", names="the row is missing",
              sql=f"DELETE FROM audit_log WHERE tenant_id = '{TENANT}' AND action = 'command.key'"),
    Tampering(does="changes what was sealed of a row", finding="change_sealed", tenant_id=_EDITED, subject="changes ",
              names="is not as it was sealed",
              sql=f"UPDATE sealed_changes SET content = replace(content, 'till', 'shop') WHERE {_of(_EDITED, '> 0')}"),
    Tampering(does="changes which role of the database made a change", finding="change_sealed", tenant_id=_EDITED,
              subject="changes 1", names="is not as it was sealed",
              sql=f"UPDATE sealed_changes SET changed_by = 'api_owner' WHERE {_of(_EDITED, '= 1')}"),
    Tampering(does="changes when a change was made", finding="change_sealed", tenant_id=_EDITED, subject="changes 2",
              names="is not as it was sealed",
              sql=f"UPDATE sealed_changes SET changed_at = '20000-01-01' WHERE {_of(_EDITED, '= 2')}"),
    Tampering(does="changes it to never", finding="change_sealed", tenant_id=_EDITED, subject="changes 3",
              names="is not as it was sealed",
              sql=f"UPDATE sealed_changes SET changed_at = '-infinity' WHERE {_of(_EDITED, '= 3')}"),
    Tampering(does="removes a change from its chain", finding=_LINK, tenant_id=_REMOVED, subject="changes 3",
              names="are missing from their chain", sql=f"DELETE FROM sealed_changes WHERE {_of(_REMOVED, '= 3')}"),
    Tampering(does="adds a change to a chain", finding=_LINK, tenant_id=_ADDED, subject="changes 4",
              names="does not follow from the one before it",
              sql=f"UPDATE sealed_changes SET sequence = sequence + 1000 WHERE {_of(_ADDED, '>= 3')};"
                  f"UPDATE sealed_changes SET sequence = sequence - 999 WHERE {_of(_ADDED, '> 1000')};"
                  "INSERT INTO sealed_changes SELECT tenant_id, 3, subject, key, action, content, changed_by, changed_at, seal, "
                  f"hash, sha256(hash || int8send(3) || seal) FROM sealed_changes WHERE {_of(_ADDED, '= 2')}"),
    Tampering(does="exchanges two changes", finding=_LINK, tenant_id=_SWAPPED, subject="changes 2",
              names="does not follow from the one before it",
              sql=f"UPDATE sealed_changes SET sequence = 1000 WHERE {_of(_SWAPPED, '= 2')};"
                  f"UPDATE sealed_changes SET sequence = 2 WHERE {_of(_SWAPPED, '= 3')};"
                  f"UPDATE sealed_changes SET sequence = 3 WHERE {_of(_SWAPPED, '= 1000')}"),
    Tampering(does="cuts off the last changes of a chain", finding=_LINK, tenant_id=_LEFT, subject="changes head",
              names="the chain ends at change 3, its head is at 5",
              sql=f"DELETE FROM sealed_changes WHERE {_of(_LEFT, '> 3')}"),
    Tampering(does="cuts them off with their rows, lines and head", finding=_HEADS, tenant_id=_CUT, subject="heads 2",
              names="is not there as it was signed",
              sql=f"DELETE FROM api_keys WHERE tenant_id = '{_CUT}' AND name = 'shop';"
                  f"DELETE FROM audit_log WHERE id::text = (SELECT key::jsonb ->> 0 FROM sealed_changes WHERE {_of(_CUT, '= 7')});"
                  f"DELETE FROM change_checks WHERE tenant_id = '{_CUT}'; DELETE FROM sealed_changes WHERE {_of(_CUT, '> 5')};"
                  "UPDATE change_chains AS c SET sequence = s.sequence, hash = s.hash FROM sealed_changes AS s "
                  f"WHERE s.tenant_id = c.tenant_id AND s.tenant_id = '{_CUT}' AND s.sequence = 5"),
    Tampering(does="removes the last signed statement", finding=_HEADS, tenant_id="", subject="heads 2",
              names="in the file, and not in the database", sql="DELETE FROM signed_heads WHERE number = 2"),
    Tampering(does="signs with a key of their own", finding=_HEADS, tenant_id="", subject="heads 1", names="no known key",
              sql="UPDATE signed_heads SET signatures = '{\"0000000000000000\": \"AAAA\"}'"),
    Tampering(does="writes over a signed statement", finding=_HEADS, tenant_id="", subject="heads 1", names="cannot be read",
              sql="UPDATE signed_heads SET statement = '{\"a\":' || repeat('[', 100000), signatures = '[1]', "
                  "signed_at = '20000-01-01' "
                  "WHERE number = 1"),
]  # fmt: skip


async def tamper(scene: Scene, tampering: Tampering) -> None:
    """Change the database as the insider can."""
    role = "api_owner" if tampering.who == OWNER else "api_app"
    insider = await asyncpg.connect(scene.place.url(role), server_settings={"search_path": "api", "timezone": "UTC"})
    try:
        async with insider.transaction():
            if tampering.who == OWNER:
                # What the owner of a table may do by one statement more.
                for table in {
                    word for word in tampering.sql.replace("(", " ").replace(";", " ").split() if word in _TABLES
                }:
                    await insider.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            assert not (await insider.execute(tampering.sql)).endswith(" 0"), tampering.does
    finally:
        await insider.close()


async def test_each_tampering_is_found_and_named(servers: Servers, tmp_path: Path) -> None:
    async with scene(servers, tmp_path) as made:
        assert await made.findings() == set()
        before: set[tuple[str, str, str, str]] = set()
        for tampering in TAMPERINGS:
            await tamper(made, tampering)
            found = await made.findings()
            new = [
                each
                for each in found - before
                if each[:2] == (tampering.finding, tampering.tenant_id)
                and each[2].startswith(tampering.subject)
                and tampering.names in each[3]
            ]
            assert new, (tampering.who, tampering.does, found - before)
            before = found


async def test_what_is_cut_off_with_its_rows_is_found_by_signatures_alone(servers: Servers, tmp_path: Path) -> None:
    async with scene(servers, tmp_path) as made:
        (cut,) = (each for each in TAMPERINGS if each.does == "cuts them off with their rows, lines and head")
        await tamper(made, cut)
        assert {(each[0], each[1]) for each in await made.findings()} == {(_HEADS, cut.tenant_id)}


def test_page_prints_the_table() -> None:
    page = PAGE.read_text()
    rows = [f"| {one.who} | {one.does} | `{one.finding}` |" for one in TAMPERINGS]
    assert [row for row in rows if row not in page] == []
