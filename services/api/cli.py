"""Commands of operators on the machine, for what the routes of administration do: also where nobody can log in any more."""

import argparse
import getpass
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.errors import Invalid, NotFound
from libs.common.evidence import write_public_keys
from libs.common.ids import parse_id
from libs.common.observability.correlation import current
from services.api.access import Directory, Passwords, Tenant, TenantOrigin, TenantStatus, provision
from services.api.access.sql import identity
from services.api.administration import Administration, queries
from services.api.administration.schemas import (
    ChangeUser,
    CreateUser,
    PutPolicy,
    PutRole,
    PutTenant,
    named_tenant,
    require_user,
    stated_policy,
    stated_role,
    stated_tenant,
)
from services.api.api_keys import ApiKeys, KeyMode, KeyVerifier
from services.api.api_keys.schemas import CreateApiKey, require_key
from services.api.http.bodies import BodyReader
from services.api.http.callers import ANY_TENANT, PLATFORM_TENANT, Caller, Principal
from services.api.integrity import export_changes, keys_of, verifier_of
from services.api.settings import Settings

_LONG_SECONDS = 600.0
"""Deadline of one statement of a command that reads everything."""


async def administer(
    settings: Settings, arguments: Sequence[str], *, read_password: Callable[[], str] | None = None
) -> str:
    """Run the command line `python -m services.api admin`; returns what to print.

    Passwords come from a terminal that asks for them, or from the first line of the standard input: never from an argument,
    which others on the machine could read.

    Raises:
        Invalid: when an argument is malformed.
        NotFound, Conflict: when what is named is not there, or cannot be changed so.
    """
    given = _parser().parse_args(arguments)
    _require_text("".join(arguments))
    clock, passwords = SystemClock(), Passwords()
    database = Database(settings.database, schema="api", application_name="payments-api-admin")
    await database.open()
    try:
        directory = Directory(database, clock, age_max_seconds=0)
        administration = Administration(database, clock=clock, passwords=passwords, directory=directory)
        caller, action = _operator(getattr(given, "tenant", PLATFORM_TENANT)), f"command.{given.what}"
        match given.what:
            case "tenant":
                body = _read(PutTenant, name=given.name, plan=given.plan, region=given.region, status=given.status)
                tenant = await administration.put_tenant(
                    caller,
                    stated_tenant(given.id, body),
                    states_status=given.status is not None,
                    action=action,
                )
                return f"tenant {tenant.id} is {tenant.status}, on the plan {tenant.plan} in {tenant.region}"
            case "user":
                return await _user(
                    administration, database, caller, given, action=action, read_password=read_password or _password
                )
            case "role":
                role = stated_role(
                    given.name, _read(PutRole, description=given.description, permissions=given.permission)
                )
                await administration.put_role(caller, role, action=action)
                return f"the role {role.name} allows {', '.join(role.permissions) or 'nothing'}"
            case "policy":
                policy = stated_policy(
                    given.permission,
                    _read(
                        PutPolicy,
                        effect=given.effect,
                        allowed_plans=given.plan,
                        allowed_regions=given.region,
                        admits_home_region=not given.list_alone,
                    ),
                )
                await administration.put_policy(caller, policy, action=action)
                return f"{policy.permission}: {policy.effect}, plans {given.plan or 'all'}, regions {given.region or 'all'}"
            case _:
                return await _key(settings, database, caller, given, action=action)
    finally:
        passwords.close()
        await database.close()


async def verify(settings: Settings) -> None:
    """Recompute all sealed changes in one snapshot, and print what was changed past the platform; ends with 1 when anything was."""
    async with _long(settings, "payments-api-verify") as database:
        report = await verifier_of(settings.proof, database, clock=SystemClock()).all()
    for finding in report.findings:
        print(f"{finding.invariant:14} {finding.tenant_id or '-':40} {finding.subject}: {finding.detail}")  # noqa: T201 - its output
    print(  # noqa: T201 - its output
        f"{report.changes:,} changes in {report.chains:,} chains recomputed, {len(report.findings)} findings"
    )
    if report.findings:
        raise SystemExit(1)


async def export(settings: Settings) -> None:
    """Write the sealed changes with what is signed of them to standard output, for `just export-changes`."""
    async with _long(settings, "payments-api-export") as database:
        async for line in export_changes(database):
            sys.stdout.buffer.write(line)


async def print_public_keys(settings: Settings) -> None:
    """Print the public keys of those that sign, in PEM, for whoever verifies an export."""
    print(write_public_keys(keys_of(settings.proof).signing()), end="")  # noqa: T201 - its output


@asynccontextmanager
async def _long(settings: Settings, name: str) -> AsyncIterator[Database]:
    """Open the database for statements that take long."""
    reading = msgspec.structs.replace(settings.database, database_timeout_seconds=_LONG_SECONDS)
    database = Database(reading, schema="api", application_name=name)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def _user(
    administration: Administration,
    database: Database,
    caller: Caller,
    given: argparse.Namespace,
    *,
    action: str,
    read_password: Callable[[], str],
) -> str:
    password = read_password() if given.password else None
    email = given.email.strip().lower()
    await _require_tenant(database, caller)
    account = await identity.account(database, email)
    if account is None:
        if password is None or given.disable is not None:
            raise NotFound(f"there is no user {email}; to add one, name --role and --password")
        new = _read(CreateUser, email=email, password=password, roles=given.role or [])
        require_user(new)
        user = await administration.add_user(
            caller, email=new.email, password=new.password, roles=new.roles, action=action
        )
        return f"user {user.email} of tenant {user.tenant_id} is added with the roles {', '.join(user.roles) or 'none'}"
    require_user(_read(ChangeUser, password=password, roles=given.role))
    user = await administration.change_user(
        caller, account.id, roles=given.role, password=password, is_disabled=given.disable, action=action
    )
    state = "may log in" if user.disabled_at is None else "may not log in"
    return f"user {user.email} has the roles {', '.join(user.roles) or 'none'} and {state}"


async def _key(
    settings: Settings, database: Database, caller: Caller, given: argparse.Namespace, *, action: str
) -> str:
    clock = SystemClock()
    mode = KeyMode(settings.auth.api_key_mode or ("test" if settings.place.is_local else "live"))
    verifier = KeyVerifier(database, clock=clock, mode=mode, age_max_seconds=0)
    keys = ApiKeys(database, clock=clock, mode=mode, verifier=verifier)
    if given.what == "revoke-key":
        key_id = parse_id(given.id)
        if key_id is None:
            raise Invalid("the id of a key is a UUID")
        await keys.revoke(caller, key_id, action=action)
        return f"key {key_id} of tenant {caller.tenant_id} is revoked"
    body = _read(CreateApiKey, name=given.name, scopes=given.scope)
    require_key(body)
    await _require_tenant(database, caller)
    made = await keys.create(caller, name=body.name, scopes=body.scopes, expires_at=None, action=action)
    return f"key {made.key.id} of tenant {caller.tenant_id}; its secret is shown this once:\n{made.secret}"


async def _require_tenant(database: Database, caller: Caller) -> None:
    """Refuse a tenant that is not known; that of the platform becomes known by whoever acts for it first."""
    named_tenant(caller.tenant_id)
    if caller.tenant_id == PLATFORM_TENANT:
        platform = Tenant(
            id=PLATFORM_TENANT, name="Platform", plan="enterprise", region="region-a", origin=TenantOrigin.SEED
        )
        await provision(database, platform, clock=SystemClock(), correlation=caller.correlation)
    await queries.tenant(database, caller.tenant_id)


def _read[T: msgspec.Struct](kind: type[T], **given: object) -> T:
    """Read arguments as the body of a request, by the same rules; what is None is left out.

    Raises:
        Invalid, HttpProblem: naming what is wrong.
    """
    if isinstance(password := given.get("password"), str):
        _require_text(password)
    return BodyReader(kind).read(
        msgspec.json.encode({name: value for name, value in given.items() if value is not None})
    )


def _require_text(text: str) -> None:
    """Refuse bytes of a terminal that are no text: neither JSON nor PostgreSQL can hold them."""
    try:
        text.encode()
    except UnicodeEncodeError as fault:
        raise Invalid("an argument or the password is not UTF-8") from fault


def _operator(tenant_id: str) -> Caller:
    principal = Principal(
        sub=f"command:{getpass.getuser()}",
        tid=ANY_TENANT,
        roles=("admin",),
        perms=frozenset(),
        plan="enterprise",
        region="region-a",
        jti="",
    )
    correlation = msgspec.structs.replace(current(), tenant_id=tenant_id)
    return Caller(principal=principal, tenant_id=tenant_id, correlation=correlation, features=frozenset())


def _password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("password: ")
    return sys.stdin.readline().rstrip("\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.api admin", allow_abbrev=False)
    commands = parser.add_subparsers(dest="what", required=True)
    tenant = commands.add_parser("tenant", help="make a tenant known, or change it", allow_abbrev=False)
    tenant.add_argument("id")
    for member in ("name", "plan", "region"):
        tenant.add_argument(f"--{member}", required=True)
    tenant.add_argument(
        "--status", choices=[status.value for status in TenantStatus], help="left out: as it is, ACTIVE for a new one"
    )
    user = commands.add_parser("user", help="add a user, or change what is given of one", allow_abbrev=False)
    user.add_argument("email")
    user.add_argument("--tenant", required=True, help=f"{PLATFORM_TENANT} for operators of the platform")
    user.add_argument("--role", action="append", help="once for each role")
    user.add_argument("--password", action="store_true", help="read one from the terminal or the standard input")
    state = user.add_mutually_exclusive_group()
    state.add_argument("--disable", action="store_const", const=True, default=None)
    state.add_argument("--enable", dest="disable", action="store_const", const=False)
    role = commands.add_parser("role", help="make a role, or change what it allows", allow_abbrev=False)
    role.add_argument("name")
    role.add_argument("--description", default="")
    role.add_argument("--permission", action="append", default=[], help="once for each permission")
    policy = commands.add_parser("policy", help="change how a permission is narrowed", allow_abbrev=False)
    policy.add_argument("permission")
    policy.add_argument("--effect", default="allow", choices=["allow", "deny"])
    policy.add_argument("--plan", action="append", default=[], help="once for each plan; none: all")
    policy.add_argument("--region", action="append", default=[], help="once for each region; none: all")
    policy.add_argument("--list-alone", action="store_true", help="admit no tenant only since it carries its region")
    key = commands.add_parser("key", help="make an API key", allow_abbrev=False)
    key.add_argument("--tenant", required=True)
    key.add_argument("--name", required=True)
    key.add_argument("--scope", action="append", required=True, help="once for each permission")
    revoke = commands.add_parser("revoke-key", help="revoke an API key", allow_abbrev=False)
    revoke.add_argument("id")
    revoke.add_argument("--tenant", required=True)
    return parser
