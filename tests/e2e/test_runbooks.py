"""Every command of the runbooks and of the checklist for production is run, is tested elsewhere, or stands here with a reason.

A command of `just` becomes what its recipe makes of it, carried out against the tests' own platform: what only reads is run as it is
printed, what changes something is aimed at what there is nothing of, and says so.
"""

import asyncio
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg
import msgspec
import pytest

from deploy.local import environment, lifecycle
from deploy.local.cli import main
from deploy.local.native import postgres, rabbitmq
from deploy.local.records import Servers
from tests.support import forks
from tests.support.brokers import fresh_vhost
from tests.support.platform import ROOT, Client, Platform

PAGES = [*sorted((ROOT / "docs" / "runbooks").rglob("*.md")), ROOT / "docs" / "production.md"]
PROGRAMS = r"(?:just|curl|docker|rabbitmqctl|rabbitmq-diagnostics|pg_dump|pg_basebackup|psql|UPDATE|SET|ALTER)"
NOBODY = "019a0000-0000-7000-8000-000000000000"
JUST = str(ROOT / ".venv/bin/just")
SECONDS = 60

RUN = {
    "just capacity RATE": ("just capacity 1000", 0, "1,000 payments a second"),
    "just verify-ledger": ("just verify-ledger", 0, ""),
    "just verify-changes": ("just verify-changes", 0, ""),
    "just gateway status": ("just gateway status", 0, "unknown outcomes"),
    "just gateway resolve ATTEMPT --as ... --reason TEXT": (
        f"just gateway resolve {NOBODY} --as held --reason 'a test'",
        1,
        "",
    ),
    "just gateway resolve ATTEMPT --as held|taken|released|refunded|declined --reason TEXT [--ref REFERENCE] [--unread] "
    "[--at INSTANT] [--operator NAME]": (
        f"just gateway resolve {NOBODY} --as taken --reason 'a test' --ref pi_1 --unread --at 2026-11-29T17:30:00Z",
        1,
        "",
    ),
    "just gateway move-account acct_... --to-tenant TENANT --reason TEXT": (
        "just gateway move-account acct_1 --to-tenant nobody --reason 'a test'",
        1,
        "",
    ),
    "just dead SERVICE": ("just dead ledger", 0, ""),
    "just redrive SERVICE": ("just redrive ledger", 0, ""),
    "just redrive SERVICE QUEUE": ("just redrive ledger ledger.payment.captured", 0, ""),
    "just refused SERVICE": ("just refused api", 0, ""),
    "just refused SERVICE retry DESTINATION": ("just refused api retry payments.x", 1, "has no such message"),
    "just refused SERVICE give-up DESTINATION --reason TEXT [--before TIMESTAMP]": (
        "just refused api give-up payments.x --reason 'a test' --before 2026-11-22T10:00:00Z",
        1,
        "has no such message",
    ),
    "just resend gateway --since": ("just resend gateway --since 2126-11-22T10:00:00Z", 0, ""),
    "just admin": ("just admin --help", 0, "tenant"),
}
"""Commands as they are printed: as they are run, their exit code, and what they print."""
ELSEWHERE = {
    "just stuck": "tests/integration/test_stuck.py",
    "just sbom api": "tests/unit/deploy/test_images.py",
    "just pin-images": "tests/unit/deploy/test_pins.py",
    "just restart": "tests/unit/deploy/test_supervision.py",
    "just restart SERVICE": "tests/unit/deploy/test_supervision.py",
    "just restart api": "tests/unit/deploy/test_supervision.py",
    "just status": "tests/unit/deploy/test_cli.py",
    "just resend": "tests/integration/messaging/test_resend.py",
}
"""Commands with a test of their own."""
NOT_RUN = {
    "just logs": "follows files of the developer's profile until it is ended",
    "just up": "starts servers of the developer's profile, for minutes on a busy machine",
    "just down": "ends what was started with `just up`",
    "just bench": "measures for minutes",
    "docker ": "needs an engine",
}
"""Commands that no test runs, by how they begin, each with the reason."""


def commands() -> dict[str, str]:
    """Each command of the pages with the page that has it."""
    found: dict[str, str] = {}
    for page in PAGES:
        text = page.read_text()
        inline = re.findall(rf"`({PROGRAMS} [^`]+)`", text)
        blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        lines = [line for block in blocks for line in block.splitlines()] + re.findall(
            r"^    (\S.*)$", text, re.MULTILINE
        )
        inline += [line for line in lines if re.match(PROGRAMS, line)]
        found |= dict.fromkeys((" ".join(command.split()) for command in inline), page.name)
    return found


def recipe(line: str) -> list[str]:
    """The arguments that the recipe of a task gives to Python."""
    words = shlex.split(line)[1:]
    shown = subprocess.run([JUST, "--dry-run", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    python = f"'{ROOT / '.venv/bin/python'}'"
    script = shown.stderr.strip().splitlines()[-1].replace(python, r"printf '%s\0'", 1)
    printed = subprocess.run(["bash", "-euc", script, *words], capture_output=True, text=True, check=True).stdout
    return printed.split("\0")[:-1]


def test_every_command_is_run_or_has_its_reason() -> None:
    found = commands()
    assert len(found) > 25
    others = found.keys() - RUN.keys() - ELSEWHERE.keys() - {READINESS, *STATEMENTS, *ARCHIVING, *ON_THE_BROKER}
    assert {command for command in others if not command.startswith(tuple(NOT_RUN))} == set()
    assert {beginning for beginning in NOT_RUN if not any(one.startswith(beginning) for one in others)} == set()
    assert (
        RUN.keys() | ELSEWHERE.keys() | {READINESS, *STATEMENTS, *ARCHIVING, *ON_THE_BROKER}
    ) - found.keys() == set()
    assert all((ROOT / file).is_file() for file in ELSEWHERE.values())


READINESS = 'curl "$(just url api)/readyz"'
STATEMENTS = {
    "UPDATE gateway.stripe_events SET status = 'RECEIVED', tries = 0, next_try_at = now() WHERE id = '<evt_...>'": "UPDATE 0",
    "UPDATE gateway.stripe_events SET status = 'HANDLED' WHERE id = '<evt_...>'": "UPDATE 0",
}
ARCHIVING = (
    "SET lock_timeout = '1s'; -- CONCURRENTLY does not work beside a default partition; this takes milliseconds once it has its lock",
    "ALTER TABLE audit_log DETACH PARTITION audit_log_2026_11;",
    "pg_dump -t audit_log_2026_11",
)
"""How a month is taken out of a table and kept elsewhere."""
DELIVERIES = """rabbitmqctl set_policy -p payments --apply-to queues dead-letters '[.]dead$' '{"delivery-limit": -1}'"""
ON_THE_BROKER = ("rabbitmq-diagnostics status", DELIVERIES)


async def test_commands_do_what_is_printed(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "command.log"
    environ = platform.environ | {"RABBITMQ_REDRIVE_URL": platform.rabbitmq_url}

    def run(command: list[str]) -> int:
        python, flag, module, *arguments = command
        assert (python, flag) in {(sys.executable, "-m"), (str(ROOT / ".venv/bin/python"), "-m")}
        started = forks.start(module.removeprefix("services."), *arguments, environ=environ, log=log)
        return started.wait(SECONDS)

    monkeypatch.setattr(lifecycle, "run_with_settings", run)
    monkeypatch.setattr(environment, "load_dotenv", lambda _: None)
    for printed, (line, code, expected) in RUN.items():
        log.write_text("")
        arguments = recipe(line)
        assert arguments[:2] == ["-m", "deploy.local"], printed
        ended = await asyncio.to_thread(main, arguments[2:])
        output = capsys.readouterr().out + log.read_text()
        assert (ended, "Traceback" in output) == (code, False), f"{line}: {output}"
        assert expected in output, line


async def test_readiness_is_read_as_printed(platform: Platform) -> None:
    shell = READINESS.replace("$(just url api)", platform.base())
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", shell, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    assert msgspec.json.decode(output)["status"] in {"ok", "degraded"}


@pytest.mark.parametrize("statement", STATEMENTS)
async def test_statements_of_a_page_are_those_of_our_tables(platform: Platform, statement: str) -> None:
    books = await asyncpg.connect(platform.database.admin_url)
    try:
        assert await books.execute(statement) == STATEMENTS[statement]
    finally:
        await books.close()


async def test_month_is_archived_as_printed(platform: Platform) -> None:
    books = await asyncpg.connect(platform.database.admin_url)
    try:
        month = await books.fetchval(
            "SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'api.audit_log'::regclass"
            " AND inhrelid::regclass::text ~ '_[0-9]{4}_[0-9]{2}$'"
        )
        lock, detach, dump = (one.replace("audit_log_2026_11", month.removeprefix("api.")) for one in ARCHIVING)
        url, _, name = platform.database.admin_url.rpartition("/")
        program = shlex.join(
            [postgres.program("pg_dump"), *shlex.split(dump)[1:-1], f"api.{month.removeprefix('api.')}"]
        )
        dumped = await asyncio.create_subprocess_shell(
            f"{program} --schema-only {shlex.quote(f'{url}/{name}')}", stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        output, errors = await asyncio.wait_for(dumped.communicate(), SECONDS)
        assert (dumped.returncode, errors) == (0, b"")
        assert f"CREATE TABLE api.{month.removeprefix('api.')} (".encode() in output
        # The month is back afterwards: the tables are those of other tests too.
        change = books.transaction()
        await change.start()
        await books.execute("SET search_path TO api")
        await books.execute(lock)
        assert await books.execute(detach) == "ALTER TABLE"
        assert await books.execute(f"DROP TABLE {month.removeprefix('api.')}") == "DROP TABLE"
        await change.rollback()
    finally:
        await books.close()


@pytest.mark.parametrize("line", ON_THE_BROKER)
def test_commands_on_the_brokers_machine_are_taken(servers: Servers, line: str) -> None:
    if servers.rabbitmq.kind != "native":
        pytest.skip("the broker is on another machine")
    # One without queues: to set a policy of hundreds takes a while.
    with fresh_vhost(servers) as url:
        vhost = unquote(urlsplit(url).path.removeprefix("/"))
        # RabbitMQ 3 knows no number for "without a limit", which the page needs for RabbitMQ 4 alone.
        line = line.replace("-p payments", f"-p {vhost}").replace('"delivery-limit": -1', '"delivery-limit": 1000000')
        done = rabbitmq.control(servers.rabbitmq, *shlex.split(line))
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("Alarms" if "status" in line else "Setting policy") in done.stdout


async def test_routes_of_the_pages_exist(admin: Client) -> None:
    document = msgspec.json.decode((ROOT / "docs" / "api" / "openapi.json").read_bytes())
    named = {
        (method.lower(), re.sub(r"\{[^}]*\}", "{}", path))
        for page in PAGES
        for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/v1/[^`?]+)", page.read_text())
    }
    known = {
        (method, re.sub(r"\{[^}]*\}", "{}", path)) for path, methods in document["paths"].items() for method in methods
    }
    assert len(named) > 8
    assert named - known == set()
    for method, path in sorted(named):
        if method == "get" and "{}" not in path:
            assert (await admin.call("GET", path)).status == 200, path
