"""Whoever logs in with a password changes it themselves, by the old one."""

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.errors import Invalid, Overloaded, Unavailable
from libs.common.ids import new_id
from libs.common.observability.correlation import current
from libs.common.web.errors import RateLimited
from services.api.access.directory import Directory
from services.api.access.passwords import Passwords
from services.api.access.sql import identity
from services.api.audit import AuditRecord, write_line, write_sealed_line
from services.api.http.callers import ANY_TENANT, Principal
from services.api.identity_errors import NoOwnPassword, WrongPassword
from services.api.rate_limit import Limit, RateLimiter


class OwnPassword:
    """Changes the password of whoever asks; a token alone does not suffice, since it may be in other hands."""

    def __init__(
        self,
        database: Database,
        *,
        passwords: Passwords,
        directory: Directory,
        clock: Clock,
        limiter: RateLimiter,
        failures: Limit,
    ) -> None:
        """Prepare; `failures` is the limit of failed logins of a name, which wrong passwords count against here too."""
        self._database = database
        self._passwords = passwords
        self._directory = directory
        self._clock = clock
        self._limiter = limiter
        self._failures = failures

    async def change(self, who: Principal, *, password: str, new_password: str, action: str) -> None:
        """Replace the password, and refuse all tokens of before, the one that was sent included.

        Raises:
            Invalid: when the new password is the old one.
            NoOwnPassword: for an API key, and for whom an identity provider of its own logs in.
            WrongPassword: when `password` is not the present one.
            RateLimited: when it was wrong too often, here or at logins.
            Unavailable: when we could not check or change it; that counts as no wrong password unless it was one.
        """
        if new_password == password:
            sentence = "must be another one than the present one"
            raise Invalid(f"new_password {sentence}", errors=(("/new_password", sentence),))
        found = None if who.key_id is not None else await identity.account_to_log_in(self._database, who.sub)
        if found is None or (found[0].tenant_id or ANY_TENANT) != who.tid:
            await write_line(self._database, self._line(who, f"{action}.denied", "denied", NoOwnPassword.code))
            raise NoOwnPassword
        account = found[0]
        # Counted first and given back on success, as logins are and together with them.
        count = await self._limiter.count(self._failures, account.email)
        if count is not None and not count.allowed:
            await write_line(self._database, self._line(who, f"{action}.throttled", "denied", "throttled"))
            raise RateLimited("too many wrong passwords of this account", headers=count.headers)
        is_right = False
        try:
            is_right = await self._passwords.matches(account.password_hash, password)
            new_hash = await self._passwords.hashed(new_password) if is_right else ""
            async with self._database.transaction() as tx:
                # Somebody else may have set another one, or disabled the user, meanwhile.
                if is_right and await identity.lock_password(tx, account.id) == account.password_hash:
                    await identity.change_password(tx, account.id, password_hash=new_hash)
                    await write_sealed_line(tx, self._line(who, f"{action}.success", "success", ""))
                else:
                    is_right = False
                    await write_line(tx, self._line(who, f"{action}.failed", "failed", WrongPassword.code))
        except Unavailable as fault:
            # The right one is no failure; and without a turn it was not looked at.
            if is_right or isinstance(fault, Overloaded):
                await self._limiter.give_back(self._failures, account.email)
            raise
        if not is_right:
            raise WrongPassword
        await self._limiter.give_back(self._failures, account.email)
        # The process that changed it does not wait for its own message.
        self._directory.forget(account.tenant_id or "")

    def _line(self, who: Principal, action: str, outcome: str, reason: str) -> AuditRecord:
        now = self._clock.now()
        return AuditRecord(
            tenant_id="" if who.tid == ANY_TENANT else who.tid,
            id=new_id(now),
            actor=who.sub,
            action=action,
            target=who.sub,
            outcome=outcome,
            detail={"reason": reason} if reason else {},
            correlation_id=current().correlation_id,
            at=now,
        )
