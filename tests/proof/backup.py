"""Proof that a lost server is restored: a copy of this checkout is backed up, loses all that its servers stored, and goes on.

    just proof-backup

Payments are made before the moment that is restored, while it passes, and after it; the processor knows all of them. Then every
process is killed and what the servers stored is removed. The commands are those of `docs/backup.md`, word for word. In the end the
processor has taken no payment and given back no refund twice, the books verify, and what was lost is named.
"""

import argparse
import asyncio
import base64
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import uvloop

from deploy.fake_stripe import FakeStripe, running_fake_stripe
from deploy.local.processes import end, marked
from tests.proof.results import report
from tests.support.platform import ADMIN, DEMO_TENANT, OPERATOR, ROOT, Client

API_KEY = "sk_test_backup"
PLATFORM_TENANT = "00000000-0000-0000-0000-000000000001"
COMMAND_SECONDS = 400.0
SETTLED_SECONDS = 60.0
FOUND_SECONDS = 90.0
_COPIED = ("deploy", "libs", "services", "scripts", "justfile", "pyproject.toml", ".env.example", "docs")
_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


class Checkout:
    """A copy of this checkout with servers and a platform of its own, run by the commands that people have."""

    def __init__(self, folder: Path, *, port_offset: int, stripe: str) -> None:
        self.folder = folder
        self.base = f"http://127.0.0.1:{8000 + port_offset}"
        self._env = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        self._env |= {"PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}", "PAYMENTS_ENV_READY": "1"}
        folder.mkdir(parents=True)
        # PostgreSQL's user passes through.
        for each in (folder, folder.parent):
            each.chmod(0o755)
        for name in _COPIED:
            source = ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / name)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        settings = {
            "PORT_OFFSET": str(port_offset),
            "BACKUP_FOLDER": str(folder.with_name("backups")),
            "GATEWAY_PROVIDER": "stripe",
            "STRIPE_API_BASE": stripe,
            "STRIPE_SECRET_KEY": API_KEY,
            "STRIPE_PAYMENT_METHOD": "pm_card_visa",
            "STRIPE_STATEMENT_EVERY_SECONDS": "2",
            "RECONCILIATION_QUIET_SECONDS": "1",
            "RATE_LIMIT_WRITE_PER_MIN": "1000000",
            "RATE_LIMIT_READ_PER_MIN": "1000000",
            # Keys are not in a backup of the database, and are not lost with it.
            "JWT_SECRET": "a-secret-for-tests-of-at-least-32-bytes",
            "ENCRYPTION_KEY": base64.b64encode(b"k" * 32).decode(),
            "NOTIFIER_ENCRYPTION_KEY": base64.b64encode(b"k" * 32).decode(),
        }
        (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    async def run(self, command: str) -> str:
        """Run a command line and return its output.

        Raises:
            AssertionError: when it fails, with its output.
        """
        began = time.monotonic()
        done = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        print(f"$ {command}   ({time.monotonic() - began:.1f} s)\n{done.stderr}{done.stdout}", flush=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def lose(self) -> None:
        """Kill everything, and remove all that the servers stored and remembered."""
        local = self.folder / ".local"
        end(marked(local / "run"), first=signal.SIGKILL, seconds=20, whole_group=False)
        end(marked(local / "dev"), first=signal.SIGKILL, seconds=20, whole_group=False)
        shutil.rmtree(local)

    async def database(self) -> str:
        """The administrator's address of the database."""
        text = await self.run(f"{sys.executable} -m deploy.local up-servers")
        address = next(line.split()[-1] for line in text.splitlines() if line.startswith("postgres"))
        return address.removesuffix("/postgres") + "/payments"


@asynccontextmanager
async def copied(*, port_offset: int, stripe: str) -> AsyncIterator[Checkout]:
    """Have a checkout that is stopped and removed after the block."""
    with tempfile.TemporaryDirectory(prefix="backup-") as place:
        checkout = Checkout(Path(place) / "checkout", port_offset=port_offset, stripe=stripe)
        try:
            yield checkout
        finally:
            await checkout.run("just down --wipe")


class Shop:
    """Makes payments, and knows under which keys."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def create(self, reference: str, *, amount: str = "10.00", manual: bool = False) -> str:
        """Create a payment."""
        body = {"amount": amount, "currency": "BRL", "customer_ref": reference}
        answer = await self._post("/v1/payment-intents", body | ({"capture_method": "manual"} if manual else {}))
        return str(answer["id"])

    async def confirm(self, intent_id: str, *, key: str = "") -> str:
        """Confirm it; returns its status."""
        answer = await self._post(f"/v1/payment-intents/{intent_id}/confirm", None, key=key)
        return str(answer["status"])

    async def capture(self, intent_id: str) -> None:
        """Capture it."""
        await self._post(f"/v1/payment-intents/{intent_id}/capture", None)

    async def refund(self, intent_id: str, amount: str, *, key: str) -> None:
        """Give a part back."""
        await self._post(f"/v1/payment-intents/{intent_id}/refund", {"amount": amount}, key=key)

    async def pay(self, reference: str, *, amount: str = "10.00") -> str:
        """Create and confirm a payment."""
        intent_id = await self.create(reference, amount=amount)
        await self.confirm(intent_id)
        return intent_id

    async def is_known(self, intent_id: str) -> bool:
        """Tell whether the platform has a payment."""
        answer = await self.client.call("GET", f"/v1/payment-intents/{intent_id}")
        assert answer.status in {200, 404}, answer.raw
        return answer.status == 200

    async def settled(self, *intents: str, status: str = "SETTLED") -> None:
        """Wait until payments have a status."""
        for intent_id in intents:
            await self.client.settled(intent_id, seconds=SETTLED_SECONDS, status=status)

    async def _post(self, path: str, body: Any, *, key: str = "") -> Any:
        answer = await self.client.call("POST", path, body, key=key or str(uuid4()))
        assert answer.status in {200, 202}, (path, answer.raw)
        return answer.json


async def log_in(
    checkout: Checkout, http: aiohttp.ClientSession, who: tuple[str, str], *, tenant: str = DEMO_TENANT
) -> Client:
    """Log in at the platform of a checkout."""
    client = Client(http, checkout.base, tenant=tenant)
    answer = await client.call("POST", "/v1/auth/token", {"email": who[0], "password": who[1], "tenantId": tenant})
    assert answer.status == 200, answer.raw
    client.token = answer.json["access_token"]
    return client


def procedure(*, until: datetime) -> list[str]:
    """Return the commands of `docs/backup.md` after a loss, to this moment instead of the one that stands there."""
    page = (ROOT / "docs" / "backup.md").read_text()
    _, _, part = page.partition("## After a loss")
    block = _BLOCK.search(part)
    assert block is not None, "docs/backup.md has the commands"
    lines = [line.partition("#")[0].strip() for line in block[1].splitlines()]
    return [re.sub(r"--to \S+", f"--to {until.isoformat()}", line) for line in lines if line]


def taken(fake: FakeStripe) -> list[dict[str, Any]]:
    """The charges that the processor has taken."""
    return [charge for charge in fake.account(API_KEY).charges.values() if charge["captured"]]


class Story:
    """What happened before, at and after the moment that is restored, by reference of the payments."""

    def __init__(self, shop: Shop, *, payments: int) -> None:
        self.shop = shop
        self._payments = payments
        self.before: list[str] = []
        self.running: list[str] = []
        self.lost: list[str] = []
        self.unconfirmed = self.held = self.given_back = ""
        self.refund_key = str(uuid4())

    async def begin(self) -> None:
        """Settle payments, and leave one unconfirmed and one held."""
        self.before = [await self.shop.pay("before") for _ in range(self._payments)]
        self.given_back = await self.shop.pay("given back")
        await self.shop.settled(*self.before, self.given_back)
        self.unconfirmed = await self.shop.create("unconfirmed")
        self.held = await self.shop.create("held", manual=True)
        await self.shop.confirm(self.held)
        await self.shop.settled(self.held, status="AUTHORIZED")

    async def pass_moment(self) -> datetime:
        """Let the moment pass while payments are made; returns it."""
        running = [asyncio.create_task(self.shop.pay("running")) for _ in range(self._payments)]
        await asyncio.sleep(0.5)
        moment = datetime.now(UTC)
        self.running = await asyncio.gather(*running)
        return moment

    async def go_on(self) -> None:
        """Do what the restored database will not know."""
        await self.shop.confirm(self.unconfirmed)
        await self.shop.capture(self.held)
        await self.shop.refund(self.given_back, "4.00", key=self.refund_key)
        self.lost = [await self.shop.pay("lost") for _ in range(self._payments)]
        await self.shop.settled(self.unconfirmed, self.held, *self.running, *self.lost)

    async def repeat(self, shop: Shop) -> int:
        """After the restore, request again what was lost, as clients do; returns how many payments are known that were running."""
        await shop.settled(*self.before)
        known = [intent for intent in self.running if await shop.is_known(intent)]
        for intent in known:
            if await shop.client.status(intent) == "CREATED":
                await shop.confirm(intent)
        await shop.settled(*known)
        # The refund that was lost is found by itself.
        await shop.settled(self.given_back, status="PARTIALLY_REFUNDED")
        await shop.refund(self.given_back, "4.00", key=self.refund_key)
        await shop.confirm(self.unconfirmed)
        await shop.capture(self.held)
        new = [await shop.pay("new") for _ in range(self._payments)]
        await shop.settled(self.unconfirmed, self.held, *new)
        return len(known)


async def prove(*, payments: int, port_offset: int) -> dict[str, Any]:
    """Back up, lose, restore, compare."""
    async with (
        running_fake_stripe(latency_seconds=0.2) as fake,
        copied(port_offset=port_offset, stripe=fake.url) as checkout,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http,
    ):
        await checkout.run("just up")
        shop = Shop(await log_in(checkout, http, OPERATOR))
        first = [await shop.pay("first") for _ in range(payments)]
        await shop.settled(*first)
        await checkout.run("just backup")
        story = Story(shop, payments=payments)
        await story.begin()
        moment = await story.pass_moment()
        await story.go_on()
        await _archived(await checkout.database())

        checkout.lose()
        began = time.monotonic()
        for command in procedure(until=moment):
            await checkout.run(command)
        seconds = time.monotonic() - began

        shop = Shop(await log_in(checkout, http, OPERATOR))
        known = await story.repeat(shop)
        await shop.settled(*first)
        charged = Counter(charge["metadata"]["payment_intent_id"] for charge in taken(fake))
        twice = {intent: count for intent, count in charged.items() if count > 1}
        assert twice == {}, f"charged twice: {twice}"
        refunds = [refund["amount"] for refund in fake.account(API_KEY).refunds.values()]
        assert refunds == [400], f"given back: {refunds}"
        gone = {*story.lost, *[intent for intent in story.running if not await shop.is_known(intent)]}
        lost = {c["balance_transaction"] for c in taken(fake) if c["metadata"]["payment_intent_id"] in gone}
        assert len(lost) == len(gone)
        # What is nobody's is found in the tenant that owns the account.
        await _name(await log_in(checkout, http, ADMIN, tenant=PLATFORM_TENANT), lost)
        text = await checkout.run("just verify-ledger")
        assert "0 findings" in text
        assert "No payment waits too long." in await checkout.run("just stuck")
        return {
            "payments": payments,
            "known_of_running": known,
            "lost_and_named_by_reconciliation": len(lost),
            "charged_twice": 0,
            "refunded_twice": 0,
            "procedure_seconds": round(seconds, 1),
        }


async def _name(administrator: Client, lost: set[str]) -> set[str]:
    """Compare the last day with the processor until payments that it alone has are named, by its references; returns what is named.

    Raises:
        TimeoutError: when some are not.
    """
    named: set[str] = set()
    async with asyncio.timeout(FOUND_SECONDS):
        while not lost <= named:
            now = datetime.now(UTC)
            window = {"from": (now - timedelta(days=1)).isoformat(), "until": now.isoformat()}
            begun = await administrator.call("POST", "/v1/reconciliation/run", window)
            assert begun.status == 202, begun.raw
            path = f"/v1/reconciliation/runs/{begun.json['id']}"
            while (await administrator.call("GET", path)).json["state"] == "running":
                await asyncio.sleep(0.5)
            page = await administrator.call("GET", "/v1/reconciliation/discrepancies?limit=200")
            assert page.status == 200, page.raw
            named = {each["gateway_ref"] for each in page.json if each["discrepancy_type"] == "FOREIGN"}
            await asyncio.sleep(2)
    return named


async def _archived(url: str) -> None:
    """Have what was written archived now, as it is after a minute."""
    connection = await asyncpg.connect(url)
    try:
        name = await connection.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
        async with asyncio.timeout(30):
            while (await connection.fetchval("SELECT last_archived_wal FROM pg_stat_archiver") or "") < name:
                await asyncio.sleep(0.1)
    finally:
        await connection.close()


def main(arguments: Sequence[str]) -> None:
    """Prove once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int, default=10, help="of each kind")
    parser.add_argument("--port-offset", type=int, default=4_300, help="by which the ports of the copy are moved")
    given = parser.parse_args(arguments)
    report("backup", uvloop.run(prove(payments=given.payments, port_offset=given.port_offset)))


if __name__ == "__main__":
    main(sys.argv[1:])
