"""Tenants, users, roles and policies are made and changed: each in one transaction with its line of the audit log.

Nobody gives what they do not have, nor takes over who has more: an administrator of a tenant makes and changes users whose
roles allow no more than they may themselves. Tenants, roles and policies are for operators of the platform.
"""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.errors import Invalid
from libs.common.ids import new_id
from services.api.access import (
    Account,
    Directory,
    Passwords,
    Policy,
    Tenant,
    TenantStatus,
    provision_within,
    require_enabled,
    require_operator_at_home,
)
from services.api.administration import sql
from services.api.administration.domain import Role, User, held_by
from services.api.audit import record_change
from services.api.http.callers import PLATFORM_TENANT, Caller
from services.api.identity_errors import (
    LoginNameTaken,
    OwnAccount,
    PermissionUnknown,
    PresentPasswordRequired,
    ScopeExceedsCaller,
    UserNotFound,
)


class Administration:
    """Decides about tenants, users, roles and policies."""

    def __init__(self, database: Database, *, clock: Clock, passwords: Passwords, directory: Directory) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._directory = directory

    async def put_tenant(self, caller: Caller, tenant: Tenant, *, states_status: bool, action: str) -> Tenant:
        """Make a tenant known, with its accounts in the ledger, or change what is known of it; returns what it is then.

        Unless the caller `states_status`, that of `tenant` counts for a new one alone: whoever changes the plan of a
        suspended tenant does not let it in again.

        Raises:
            Invalid: when the tenant of the platform would be suspended or deleted.
        """
        if tenant.id == PLATFORM_TENANT and tenant.status is not TenantStatus.ACTIVE:
            sentence = "the tenant of the platform itself is neither suspended nor deleted"
            raise Invalid(sentence, errors=(("/status", sentence),))
        now = self._clock.now()
        async with self._database.transaction() as tx:
            is_new = await provision_within(tx, tenant, at=now, correlation=caller.correlation)
            after = await sql.change_tenant(tx, tenant, states_status=states_status or is_new, at=now)
            detail = {"plan": after.plan, "region": after.region, "status": str(after.status)}
            await record_change(tx, caller, action, tenant.id, at=now, tenant_id=tenant.id, **detail)
        self._directory.forget(tenant.id)
        return after

    async def add_user(self, caller: Caller, *, email: str, password: str, roles: Sequence[str], action: str) -> User:
        """Add a user of the caller's tenant; of the platform's, an operator adds one who belongs to it.

        Raises:
            Invalid: when a role is unknown.
            ScopeExceedsCaller: when the roles allow what the caller may not, or they are disabled.
            OperatorRequired: when it is a user of the platform, and the caller none of its operators.
            LoginNameTaken: when another user has the login name.
        """
        require_operator_at_home(caller)
        known = await sql.roles(self._database)
        _require_roles(caller, known, roles)
        now = self._clock.now()
        account = Account(
            id=new_id(now),
            email=email.strip().lower(),
            password_hash=await self._passwords.hashed(password),
            tenant_id=caller.tenant_id,
            roles=tuple(sorted(set(roles))),
            permissions=(),
        )
        await require_enabled(self._database, caller)
        async with self._database.transaction() as tx:
            is_added = await sql.add_user(tx, account, at=now)
            if is_added:
                await record_change(tx, caller, action, account.email, at=now, roles=",".join(account.roles))
            else:
                # The answer tells of users elsewhere: whoever tries many names is seen.
                outcome, reason = "failed", LoginNameTaken.code
                await record_change(tx, caller, action, account.email, at=now, outcome=outcome, reason=reason)
        if not is_added:
            raise LoginNameTaken
        return User(
            id=account.id,
            email=account.email,
            tenant_id=account.tenant_id,
            roles=account.roles,
            created_at=now,
            disabled_at=None,
        )

    async def change_user(
        self,
        caller: Caller,
        user_id: UUID,
        *,
        roles: Sequence[str] | None,
        password: str | None,
        is_disabled: bool | None,
        action: str,
    ) -> User:
        """Change what is given of a user: its roles, its password, whether it may log in; its tokens of before are refused.

        Raises:
            Invalid: when a role is unknown.
            UserNotFound: when the tenant has no such user.
            ScopeExceedsCaller: when the user may do, or would be able to do, what the caller may not, or they are disabled.
            OperatorRequired: when it is a user of the platform, and the caller none of its operators.
            OwnAccount: when the caller disables themselves or changes their own roles.
            PresentPasswordRequired: when the caller, or who is responsible for the caller's key, sets their own password.
        """
        require_operator_at_home(caller)
        password_hash = "" if password is None else await self._passwords.hashed(password)
        await require_enabled(self._database, caller)
        async with self._database.transaction() as tx:
            before = await sql.lock_user(tx, caller.tenant_id, user_id)
            if before is None:
                raise UserNotFound
            if before.email == caller.actor and (roles is not None or is_disabled):
                raise OwnAccount
            if before.email == caller.principal.person and password is not None:
                # A token that is in other hands must not suffice, nor a key that was made with it.
                raise PresentPasswordRequired
            known = await sql.roles(tx)
            # Who sets the password of somebody can be them.
            _require_held(caller, held_by(known, before.roles))
            after = before
            if roles is not None:
                _require_roles(caller, known, roles)
                after = msgspec.structs.replace(after, roles=tuple(sorted(set(roles))))
            if is_disabled is not None:
                disabled_at = (before.disabled_at or self._clock.now()) if is_disabled else None
                after = msgspec.structs.replace(after, disabled_at=disabled_at)
            ends_tokens = bool(password_hash) or after.disabled_at != before.disabled_at or after.roles != before.roles
            await sql.change_user(tx, after, password_hash=password_hash, ends_tokens=ends_tokens)
            detail = {} if roles is None else {"roles": ",".join(after.roles)}
            detail |= {} if is_disabled is None else {"is_disabled": str(is_disabled).lower()}
            detail |= {"password": "changed"} if password_hash else {}
            await record_change(tx, caller, action, before.email, at=self._clock.now(), **detail)
        # The process that changed it does not wait for its own message.
        self._directory.forget(before.tenant_id or "")
        return after

    async def put_role(self, caller: Caller, role: Role, *, action: str) -> None:
        """Make a role, or change what it allows: for logins from then on.

        Raises:
            Invalid: when a permission is unknown.
        """
        async with self._database.transaction() as tx:
            existing = {each.name for each in await sql.permissions(tx)}
            wrong = [
                (f"/permissions/{place}", "is no permission")
                for place, name in enumerate(role.permissions)
                if name not in existing
            ]
            if wrong:
                raise Invalid("a permission is unknown", errors=tuple(wrong))
            await sql.put_role(tx, role)
            await record_change(
                tx, caller, action, role.name, at=self._clock.now(), permissions=" ".join(role.permissions)
            )

    async def put_policy(self, caller: Caller, policy: Policy, *, action: str) -> None:
        """Write how a permission is narrowed, for every tenant and at once.

        Raises:
            PermissionUnknown: when there is no such permission.
        """
        async with self._database.transaction() as tx:
            if policy.permission not in {each.name for each in await sql.permissions(tx)}:
                raise PermissionUnknown
            await sql.put_policy(tx, policy)
            await record_change(
                tx,
                caller,
                action,
                policy.permission,
                at=self._clock.now(),
                effect=policy.effect,
                plans=",".join(policy.allowed_plans),
                regions=",".join(policy.allowed_regions),
                admits_home_region=str(policy.admits_home_region).lower(),
            )
        self._directory.forget("")


def _require_roles(caller: Caller, known: Sequence[Role], names: Sequence[str]) -> None:
    existing = {role.name for role in known}
    wrong = [(f"/roles/{place}", "is no role") for place, name in enumerate(names) if name not in existing]
    if wrong:
        raise Invalid("a role is unknown", errors=tuple(wrong))
    _require_held(caller, held_by(known, names))


def _require_held(caller: Caller, permissions: frozenset[str]) -> None:
    beyond = sorted(permissions - caller.principal.perms)
    if beyond and not caller.principal.is_global_admin:
        raise ScopeExceedsCaller(f"you do not have {', '.join(beyond)} yourself")
