"""The functions and triggers of each service's schema, one file each, as a migrated database has them.

`just docs` writes the files when migrations have changed; a test compares them. They are there to be read: what a function says
today, wherever in the migrations it was changed last.
"""

import asyncio
from pathlib import Path

import asyncpg

from deploy.local import servers
from tests.support.databases import SERVICES, fresh_database

ROOT = Path(__file__).parents[2]

_FUNCTIONS = """
SELECT p.proname AS name, pg_get_functiondef(p.oid) AS text,
       ARRAY(SELECT pg_get_triggerdef(t.oid, true) FROM pg_trigger AS t
              WHERE t.tgfoid = p.oid AND NOT t.tgisinternal AND t.tgparentid = 0
              ORDER BY t.tgrelid::regclass::text, t.tgname) AS triggers
  FROM pg_proc AS p
 WHERE p.pronamespace = $1::text::regnamespace AND p.prokind IN ('f', 'p')
 ORDER BY p.proname, pg_get_function_identity_arguments(p.oid)
"""


def folder(service: str) -> Path:
    """Where the files of a service are."""
    return ROOT / "services" / service / "schema" / "functions"


async def written(connection: asyncpg.Connection, service: str) -> dict[str, str]:
    """Return the text of every function of a service's schema with its triggers, by file name."""
    files: dict[str, list[str]] = {}
    for row in await connection.fetch(_FUNCTIONS, service):
        statements = [row["text"].rstrip(), *row["triggers"]]
        files.setdefault(f"{row['name']}.sql", []).append("\n".join(f"{text};\n" for text in statements))
    return {name: "\n".join(texts) for name, texts in files.items()}


async def _write() -> None:
    found = servers.ensure("test", report=print)
    async with fresh_database(found) as database:
        connection = await asyncpg.connect(database.admin_url)
        try:
            for service in SERVICES:
                files = await written(connection, service)
                folder(service).mkdir(exist_ok=True)
                for known in folder(service).glob("*.sql"):
                    if known.name not in files:
                        known.unlink()
                for name, text in files.items():
                    (folder(service) / name).write_text(text)
                print(f"{service}: {len(files)} functions")
        finally:
            await connection.close()


if __name__ == "__main__":
    asyncio.run(_write())
