"""Every command of `payctl` does what its example says, against the platform: printed as JSON, and tab-separated."""

import asyncio
import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
from click.testing import CliRunner, Result

from payments_client.payctl.cli import payctl
from payments_client.payctl.commands import Command
from tests.e2e.bookkeeping import new_tenant, person
from tests.support.lost import forget, lose
from tests.support.platform import ADMIN, DEMO_TENANT, OPERATOR, Platform
from tests.support.receiver import Receiver

ELSEWHERE = {"payctl webhooks listen", "payctl webhooks trigger", "payctl password"}
"""Tested without the platform, in tests/unit/clients, and for a user of its own."""
REFUSED = {"payctl reconciliation resolve": "discrepancy_not_found"}
"""What there is nothing of here."""
PASSWORD = uuid4().hex


def commands(group: click.Group = payctl, path: str = "payctl") -> Iterator[tuple[str, Command]]:
    for name, found in group.commands.items():
        if isinstance(found, click.Group):
            yield from commands(found, f"{path} {name}")
        else:
            assert isinstance(found, Command)
            yield f"{path} {name}", found


def run(line: str, env: dict[str, str]) -> Result:
    return CliRunner().invoke(payctl, shlex.split(line)[1:], env=env)


class Things:
    """Makes what an example is about: a new one for each, as most commands change it."""

    def __init__(self, env: dict[str, str], *, url: str, broker: str) -> None:
        self._env, self._broker = env, broker
        self._made: dict[str, Callable[[], str]] = {
            "PAYMENT": lambda: self._payment(manual=False),
            "AUTHORIZED": lambda: self._confirmed(manual=True),
            "SETTLED": lambda: self._confirmed(manual=False),
            "HOLD": lambda: self._of("payctl holds place 10.00 BRL CASH REVENUE"),
            "RUN": lambda: self._of("payctl reconciliation run 2026-01-01T00:00:00Z 2026-01-02T00:00:00Z"),
            "DISCREPANCY": lambda: str(uuid4()),
            "ENDPOINT": lambda: self._of(f"payctl webhooks create {url}"),
            "LETTER": self._letter,
            "KEY": lambda: self._of("payctl keys create one --scope payments:read"),
            "NEW_TENANT": new_tenant,
            "NEW_EMAIL": lambda: f"{uuid4().hex}@example.com",
            "URL": lambda: env["PAYCTL_URL"],
            "EMAIL": lambda: ADMIN[0],
            "TENANT": lambda: DEMO_TENANT,
        }

    def in_place(self, example: str) -> str:
        return re.sub(r"\$([A-Z_]+)", lambda name: self._made[name[1]](), example)

    def _of(self, line: str) -> str:
        made = run(f"{line} --json", self._env)
        assert made.exit_code == 0, made.output
        return str(json.loads(made.stdout)["id"])

    def _letter(self) -> str:
        lost = str(asyncio.run(lose(self._broker, self._env["PAYCTL_TENANT"])))
        listed = json.loads(run("payctl dead-letters list --limit 200 --json", self._env).stdout)
        [letter] = [one["id"] for one in listed if one["message_id"] == lost]
        return str(letter)

    def _payment(self, *, manual: bool) -> str:
        return self._of(f"payctl payments create 150.50 BRL ana@example.com {'--manual' if manual else ''}")

    def _confirmed(self, *, manual: bool) -> str:
        payment = self._payment(manual=manual)
        run(f"payctl payments confirm {payment}", self._env)
        watched = run(f"payctl payments watch {payment} --seconds 120", self._env)
        assert watched.exit_code == 0, watched.output
        assert watched.stdout.splitlines()[-1].split("\t")[2] == ("AUTHORIZED" if manual else "SETTLED")
        return payment


async def test_every_example_does_what_it_says(platform: Platform, receiver: Receiver, tmp_path: Path) -> None:
    admin = await platform.login(ADMIN)
    tenant = new_tenant()
    assert (await person(platform, tenant, "first@sight", ("ledger:read",)).call("GET", "/v1/accounts")).status == 200
    env = {"PAYCTL_URL": platform.base(), "PAYCTL_KEY": admin.token, "PAYCTL_TENANT": tenant}
    env |= {"PAYCTL_PASSWORD": ADMIN[1], "PAYCTL_USER_PASSWORD": PASSWORD, "XDG_CONFIG_HOME": str(tmp_path)}

    def examples() -> None:
        things = Things(env, url=receiver.url, broker=platform.rabbitmq_url)
        failed = []
        for path, command in commands():
            if path in ELSEWHERE:
                continue
            line = things.in_place(command.example)
            assert line == path or line.startswith(f"{path} ")
            ran, refusal = run(line, env), REFUSED.get(path)
            if ran.exit_code != (0 if refusal is None else 1) or (refusal or "") not in ran.output:
                failed.append((line, ran.output, ran.exception))
        assert failed == []
        lists_are_read_by_scripts(env)
        a_log_in_is_kept(env)
        a_password_is_changed(env)

    try:
        await asyncio.to_thread(examples)
    finally:
        await forget(platform.rabbitmq_url)


def lists_are_read_by_scripts(env: dict[str, str]) -> None:
    """A list is an array of all members, and lines of the same objects with tabs where it is piped."""
    listed: list[dict[str, Any]] = json.loads(run("payctl payments list --json", env).stdout)
    lines = run("payctl payments list", env).stdout.splitlines()
    assert len(listed) >= 2
    assert [line.split("\t")[:2] for line in lines] == [[one["id"], one["status"]] for one in listed]
    assert [one["id"] for one in json.loads(run("payctl payments list --limit 1 --json", env).stdout)] == [
        listed[0]["id"]
    ]


def a_log_in_is_kept(env: dict[str, str]) -> None:
    """A log-in holds for the commands that follow, at its own address alone."""
    there = {**env, "PAYCTL_KEY": "", "PAYCTL_TENANT": ""}
    assert run("payctl logout", there).exit_code == 0
    assert "Log in first" in run("payctl me", there).output
    login = f"payctl login --url {env['PAYCTL_URL']} --email {ADMIN[0]} --tenant {DEMO_TENANT} --json"
    assert json.loads(run(login, there).stdout)["url"] == env["PAYCTL_URL"]
    kept = Path(env["XDG_CONFIG_HOME"]) / "payctl.json"
    assert kept.stat().st_mode & 0o077 == 0
    assert ADMIN[1] not in kept.read_text()
    assert json.loads(run("payctl me --json", there).stdout)["tid"] == "*"
    # Who is of one tenant names none.
    merchant = f"payctl login --url {env['PAYCTL_URL']} --email {OPERATOR[0]} --password {OPERATOR[1]}"
    assert run(merchant, there).exit_code == 0
    assert run("payctl payments list --limit 1", there).exit_code == 0
    assert run(login, there).exit_code == 0
    elsewhere = run("payctl me", {**there, "PAYCTL_URL": "http://127.0.0.1:9"})
    assert (elsewhere.exit_code, "log in there" in elsewhere.output) == (1, True)
    wrong = run(f"{login} --password wrong", there)
    assert (wrong.exit_code, "401" in wrong.output) == (1, True)


def a_password_is_changed(env: dict[str, str]) -> None:
    """Whoever changes their password logs in again, with the new one."""
    email = f"{uuid4().hex}@example.com"
    assert run(f"payctl users create {email} --role sales", env).exit_code == 0
    own = {
        **env,
        "PAYCTL_KEY": "",
        "PAYCTL_TENANT": "",
        "PAYCTL_PASSWORD": PASSWORD,
        "PAYCTL_NEW_PASSWORD": uuid4().hex,
    }
    login = f"payctl login --url {env['PAYCTL_URL']} --email {email}"
    assert run(login, own).exit_code == 0
    wrong = run("payctl password --password wrong", own)
    assert (wrong.exit_code, "wrong_password" in wrong.output) == (1, True)
    assert run("payctl password", own).exit_code == 0
    assert "Log in first" in run("payctl me", own).output
    assert run(login, own).exit_code == 1
    assert run(login, {**own, "PAYCTL_PASSWORD": own["PAYCTL_NEW_PASSWORD"]}).exit_code == 0
