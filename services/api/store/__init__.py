"""How the api remembers: the only SQL, one statement and one round trip each.

`intents` keeps payment intents together with their idempotency keys, because they are written together; `identity` keeps
tenants, users and policies, `flags` what tenants may use; `refunds` keeps refunds and disputes; `audit` keeps what was done
and denied.
"""

from services.api.store.audit import AuditFilter, AuditRecord
from services.api.store.flags import EVERY_TENANT
from services.api.store.identity import Account, Policy, Tenant, TenantStatus
from services.api.store.intents import IntentFilter, IntentPosition, KeyAnswer
from services.api.store.keys import Answer, Claim, KeyRecord
from services.api.store.timeline import TimelineEvent

__all__ = [
    "EVERY_TENANT",
    "Account",
    "Answer",
    "AuditFilter",
    "AuditRecord",
    "Claim",
    "IntentFilter",
    "IntentPosition",
    "KeyAnswer",
    "KeyRecord",
    "Policy",
    "Tenant",
    "TenantStatus",
    "TimelineEvent",
]
