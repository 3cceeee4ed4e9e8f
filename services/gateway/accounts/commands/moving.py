"""A Stripe account changes hands by an operator's word: looked at first, then confirmed; who and why stays written down."""

import argparse
import getpass
import hashlib
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.db import Database
from libs.common.errors import Conflict, Invalid
from libs.common.ids import parse_id
from libs.common.observability.logging import get_logger
from services.gateway.accounts.sql import owners as owners_sql
from services.gateway.accounts.sql.owners import Move

log = get_logger("gateway.moving")

_CODE_LENGTH = 8
_TENANT_LENGTH_MAX = 64


async def move_account(database: Database, arguments: Sequence[str], *, now: datetime) -> str:
    """Run the command line; returns what to print. Without `--confirm` nothing changes.

    Raises:
        Invalid: when an argument is malformed.
        NotFound, Conflict: when the account cannot be moved there.
    """
    parser = argparse.ArgumentParser(prog="python -m services.gateway move-account", allow_abbrev=False)
    parser.add_argument("account", help="Stripe's id of the account: acct_...")
    to = parser.add_mutually_exclusive_group(required=True)
    to.add_argument("--to-config", default="", help="a configuration that shares the account")
    to.add_argument("--to-tenant", default="", help="who may add a configuration for it next")
    parser.add_argument("--live", action="store_true", help="its live mode; default: its test mode")
    parser.add_argument("--reason", required=True, help="why it changes hands")
    parser.add_argument("--confirm", default="", metavar="CODE", help="do it: the code that the first call has printed")
    given = parser.parse_args(arguments)
    planned = await owners_sql.plan(
        database,
        given.account,
        is_live=given.live,
        to_tenant=_tenant(given.to_tenant),
        to_config=_config(given.to_config),
    )
    if (planned.from_tenant, planned.from_processor) == (planned.to_tenant, planned.to_processor):
        raise Conflict("it is theirs already")
    code = _code(planned)
    if not given.confirm:
        return f"{_sentence(planned)}. Nothing is done yet; to do it, call this again with --confirm {code}"
    if given.confirm != code:
        raise Conflict("the code is not of this move as things stand now; call this without --confirm and look again")
    actor = getpass.getuser()
    await owners_sql.move(database, planned, actor=actor, reason=given.reason, at=now)
    log.warning(
        "stripe.account_moved", account=planned.account_id, actor=actor, tenant=planned.to_tenant, reason=given.reason
    )
    return f"{_sentence(planned)}: done; it stands in operator_actions"


def _sentence(planned: Move) -> str:
    mode = "live" if planned.is_live else "test"
    through = f"its {planned.to_processor}" if planned.to_processor else "the next configuration that it adds for it"
    return (
        f"{planned.account_id} in {mode} mode goes from tenant {planned.from_tenant} "
        f"({planned.from_processor or 'awaited'}) to tenant {planned.to_tenant}, {through}; payouts that Stripe reports from "
        "then on are theirs, payments stay whose they are"
    )


def _code(planned: Move) -> str:
    return hashlib.sha256(msgspec.json.encode(planned)).hexdigest()[:_CODE_LENGTH]


def _tenant(text: str) -> str:
    if len(text) > _TENANT_LENGTH_MAX or not text.isprintable() or " " in text:
        raise Invalid(f"--to-tenant must have 1 to {_TENANT_LENGTH_MAX} visible characters")
    return text


def _config(text: str) -> UUID | None:
    if not text:
        return None
    found = parse_id(text)
    if found is None:
        raise Invalid("--to-config must be the id of a gateway configuration, a UUID")
    return found
