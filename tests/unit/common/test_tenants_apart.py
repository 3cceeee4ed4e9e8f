"""No identifier, key, lock or unique constraint about one tenant's money is shared with another's.

Each derivation of an id and each lock is found in the sources, each key in the models: it names the tenant, or stands in a
list here with the reason why it need not. Whoever adds one that does neither finds out from this test.
"""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy as sa

from libs.common.ids import new_id
from libs.common.messaging.inbox import key_of
from services.api.rate_limit.limiter import Limit
from services.api.rate_limit.limiter import _key as key_of_count
from tests.support.sources import files, named, tree

ROOT = Path(__file__).parents[3]
SERVICES = ("api", "ledger", "gateway", "notifier")
_DERIVING = {"derived_id", "uuid5", "uuid3"}

DERIVED_WITHOUT_TENANT = {
    "libs/common/messaging/letter_box.py:letter_id_of": "of a message in a queue of all tenants, which only operators see",
    "libs/common/messaging/foreign.py:_pack": "of a whole message; the inbox adds the tenant",
    "services/gateway/notices/commands/notices.py:disputed": "of an intent, whose id the api minted; disputes are kept by tenant",
    "services/gateway/movements/domain/statement.py:openings": "of an account of Stripe and a currency, whoever owns it",
    "services/gateway/movements/domain/statement.py:movement_id": "of an account of Stripe and its reference, whoever owns it",
    "services/gateway/reconciliation/matching/domain/facts.py:id_of": "its purpose begins with the tenant",
    "services/gateway/reconciliation/runs/domain/facts.py:entry_of": "the id of an entry; entries are kept by tenant",
    "services/gateway/reconciliation/runs/domain/facts.py:id_of": "its purpose begins with the tenant",
    "services/gateway/reconciliation/runs/domain/only_booked.py:_of_movements": "the id of an entry; entries are kept by tenant",
    "services/gateway/reconciliation/runs/domain/only_booked.py:_of_parts": "the id of an entry; entries are kept by tenant",
    "services/api/reconciliation/consumers.py:_announced": "of the event of a run, whose id the gateway minted",
    "services/gateway/operations/schemas.py:again": "from the event of an attempt, whose id has the tenant in it",
    "services/gateway/operations/schemas.py:hold_watched": "from the id of an attempt, which has the tenant in it",
    "services/gateway/operations/schemas.py:_publication": "from the id of an attempt, which has the tenant in it",
    "services/gateway/notices/commands/events.py:_fee_message": "of an intent; entries of fees are kept by tenant",
    "services/ledger/integrity/commands/reconciliation.py:_expected": "the id of an entry; entries are kept by tenant",
    "services/ledger/holds/commands.py:capture": "the id of an entry; entries are kept by tenant",
    "services/ledger/entries/commands.py:reverse": "the id of an entry; entries are kept by tenant",
    "services/ledger/exchange/queries.py:_shown": "the id of an entry; entries are kept by tenant",
    "services/ledger/reports/sql/statements.py:_conversions_of": "the id of an entry; entries are kept by tenant",
    "services/ledger/posting_rules/domain/conversion.py:_entry": "the id of an entry; entries are kept by tenant",
    "services/ledger/posting_rules/domain/movements.py:_entry": "the id of an entry; entries are kept by tenant",
    "services/ledger/posting_rules/domain/payments.py:_entry": "the id of an entry; entries are kept by tenant",
    "services/ledger/manual_entries/domain.py:identified": "the source that callers give begins with the tenant",
    "services/notifier/deliveries/domain/delivery.py:delivery_id": "of an endpoint, whose id we minted; deliveries are kept by tenant",
}
LOCKS_WITHOUT_TENANT = {
    "libs/common/db/migrate.py": "migrating a schema",
    "services/gateway/reconciliation/reports/sql.py": "shared by all reports; old days of all tenants are deleted together, in bounded steps",
    "services/api/integrity/sql/changes.py": "one process verifies the chains of all tenants; tried, never waited for",
    "services/api/integrity/sql/heads.py": "one process signs where the chains of all tenants end; tried, never waited for",
    "services/ledger/integrity/sql/heads.py": "one process signs where the chains of all tenants end; tried, never waited for",
    "services/ledger/balances/sql/effective.py": "one process sums up postings for reading; tried, never waited for",
}
KEYS_WITHOUT_TENANT = {
    "*.inbox(event_id, queue)": "the id is that of the event within its tenant: libs.common.messaging.inbox.key_of",
    "*.outbox(seq)": "a number of ours",
    "*.operator_actions(id)": "minted by us",
    "*.outbox_published(batch_id, seq)": "numbers of ours",
    "*.outbox_refused(seq)": "a number of ours",
    "*.partition_rules(parent)": "tables",
    "api.api_keys(secret_hash)": "a digest of 256 random bits, found before a tenant is known: the row names it",
    "api.permissions(name)": "of the platform",
    "api.policies(permission)": "of the platform",
    "api.role_permissions(role, permission)": "of the platform",
    "api.roles(name)": "of the platform",
    "api.sealed_tables(subject)": "tables",
    "api.signed_heads(number)": "numbers of ours: what is signed are the ends of the chains of all tenants",
    "api.tenants(id)": "the tenant itself",
    "api.users(id)": "minted by us",
    "api.users(email)": "a login name belongs to one user, who logs in before a tenant is known",
    "gateway.circuits(process, name, is_account)": "what a process reports of the processors that it calls for all tenants",
    "gateway.processor_movements(account_id, is_live, id)": "a fact of an account of Stripe, whoever owns it",
    "gateway.processor_openings(account_id, is_live, currency)": "a fact of an account of Stripe, whoever owns it",
    "gateway.processor_balances(account_id, is_live, currency)": "a fact of an account of Stripe, whoever owns it",
    "gateway.processor_sums(account_id, is_live, currency)": "a fact of an account of Stripe, whoever owns it",
    "gateway.processor_payouts(account_id, is_live, id)": "a fact of an account of Stripe, whoever owns it",
    "gateway.processor_readings(account_id, is_live, list)": "how far an account of Stripe was read",
    "gateway.sandbox_payments(ref)": "a hash of the idempotency key: the id of an attempt, which has the tenant in it",
    "gateway.stripe_accounts(account_id, is_live)": "an account of Stripe is one tenant's",
    "ledger.currency_exponents(currency)": "currencies, of all tenants",
    "ledger.chain_checks(chain)": "chains of seals, a fixed number of them",
    "ledger.chains(chain)": "chains of seals, a fixed number of them",
    "ledger.claim_checks(chain)": "chains of seals, a fixed number of them",
    "ledger.invariant_checks(invariant)": "invariants of all books, a fixed number of them",
    "ledger.change_chains(chain)": "chains of seals, a fixed number of them",
    "ledger.change_checks(chain)": "chains of seals, a fixed number of them",
    "ledger.change_groups(chain, sequence)": "a place in a chain of seals",
    "ledger.sealed_changes(chain, sequence, position)": "a place in a chain of seals",
    "ledger.sealed_tables(subject)": "tables",
    "ledger.signed_heads(number)": "numbers of ours: what is signed are the ends of the chains of all tenants",
    "ledger.entry_groups(chain, sequence)": "a place in a chain of seals",
    "ledger.watermark(id)": "one row: until when the instants of record of all tenants are over",
}
REDIS_KEYS_WITHOUT_TENANT = {
    "services/api/rate_limit/limiter.py:_ask": "of whoever is counted; see COUNTED_WITHOUT_TENANT",
}
COUNTED_WITHOUT_TENANT = {
    "services/api/identity_providers/login.py": "by the address of a stranger, together with logins by password",
    "services/api/access/login.py": "a login name belongs to one user, who logs in before a tenant is known",
    "services/api/access/own_password.py": "the same count as that of failed logins",
    "services/api/http/edge.py": "by address before a token proves the tenant; then by tenant and subject",
}


def sources() -> Iterator[tuple[str, ast.Module, str]]:
    for file in files("libs", "services"):
        if "migrations" not in file.parts or file.name == "migrate.py":
            yield named(file), tree(file), file.read_text()


def derivations() -> Iterator[tuple[str, str]]:
    """Each call that derives an id: where it is, and its arguments as they are written."""
    for path, module, text in sources():
        if not any(name in text for name in _DERIVING):
            continue
        for function in ast.walk(module):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in _DERIVING:
                    yield f"{path}:{function.name}", ast.unparse(call)


def test_each_derived_id_names_its_tenant_or_says_why_not() -> None:
    found = list(derivations())
    assert len(found) > 20
    silent = {place for place, call in found if "tenant" not in call}
    assert silent == DERIVED_WITHOUT_TENANT.keys()


def test_each_lock_names_its_tenant_or_says_why_not() -> None:
    silent = {
        path
        for path, _, text in sources()
        for lock in re.finditer(r"pg_(?:try_)?advisory[a-z_]*\(([^\n]*)", text)
        if "tenant" not in lock[0] and "webhook endpoints of" not in lock[0]
    }
    assert silent == LOCKS_WITHOUT_TENANT.keys()


def redis_keys() -> Iterator[tuple[str, str]]:
    """Each key that is read or written in Redis: where, and what it is made of as it is written."""
    for path, module, text in sources():
        if "rate_limit" not in text and "rate_limit" not in path:
            continue
        for function in ast.walk(module):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for call in ast.walk(function):
                if not isinstance(call, ast.Call):
                    continue
                place = f"{path}:{function.name}"
                yield from ((place, ast.unparse(keys.value)) for keys in call.keywords if keys.arg == "keys")
                if not isinstance(call.func, ast.Attribute) or call.func.attr not in {"read", "write"}:
                    continue
                if ast.unparse(call.func.value) == "self._store":
                    yield from ((place, ast.unparse(key)) for key in call.args[:1])


def test_each_key_in_redis_names_its_tenant_or_says_why_not() -> None:
    # Whatever goes there goes by the store, whose calls are what is walked through.
    assert {path for path, _, text in sources() if re.search(r"^(import|from) redis", text, re.MULTILINE)} == {
        "services/api/rate_limit/store.py"
    }
    found = list(redis_keys())
    assert len(found) >= 3
    assert {place for place, key in found if "tenant" not in key} == REDIS_KEYS_WITHOUT_TENANT.keys()
    counting = {path for path, _, text in sources() if re.search(r"_limiter\.count\(", text)}
    assert counting == COUNTED_WITHOUT_TENANT.keys()


def test_no_two_callers_are_counted_as_one() -> None:
    callers = [
        ("subject", "a", "b"),
        ("subject", "a\nb"),
        ("subject", "a\nb", "c"),
        ("subject", "a", "b\nc"),
        ("subject", 'a", "b'),
        ("subject", "\ud800", "b"),
        ("subject", "?", "b"),
        ("address", "a", "b"),
        ("a", "b"),
        ("ab",),
    ]
    limits = [Limit("read", 10), Limit("write", 10)]
    assert len({key_of_count(limit, caller) for limit in limits for caller in callers}) == len(limits) * len(callers)


def unique_keys(service: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    metadata: sa.MetaData = import_module(f"services.{service}.schema.tables").METADATA
    for table in metadata.sorted_tables:
        keys = [tuple(column.name for column in table.primary_key)]
        keys += [tuple(c.name for c in k.columns) for k in table.constraints if isinstance(k, sa.UniqueConstraint)]
        keys += [
            tuple(str(part).rpartition(".")[2] for part in index.expressions) for index in table.indexes if index.unique
        ]
        yield from ((f"{service}.{table.name}", key) for key in keys if key)


@pytest.mark.parametrize("service", SERVICES)
def test_each_unique_key_has_the_tenant_in_it_or_says_why_not(service: str) -> None:
    shared = {
        named
        for table, key in unique_keys(service)
        if "tenant_id" not in key
        and (named := f"{table}({', '.join(key)})").replace(f"{service}.", "*.", 1) not in KEYS_WITHOUT_TENANT
    }
    assert shared == {named for named in KEYS_WITHOUT_TENANT if named.startswith(f"{service}.")}


def test_an_event_counts_within_its_tenant_and_in_its_place_of_time() -> None:
    event_id = new_id()
    keys = {key_of(tenant_id, event_id) for tenant_id in ("", "a", "b", "a:b")}
    assert len(keys) == 4
    assert {key.bytes[:6] for key in keys} == {event_id.bytes[:6]}
    assert {key.version for key in keys} == {7}
