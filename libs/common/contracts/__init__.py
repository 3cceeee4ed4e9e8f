"""The message contracts of all services: importing this package fills the registry.

`api`, `ledger`, `gateway` and `notifier` are named after the owner of the messages inside. `gateway_requests` has what the
gateway answers while somebody waits, `gateway_customers` what processors keep of customers, `gateway_imports` the files of banks, `gateway_matching` what their lines belong to, `gateway_movements` what the processor's statement shows, `gateway_payouts` its payouts; the ledger's have further
parts: `ledger_books`, `ledger_roles`, `ledger_money` (rates and conversions), `ledger_reports`, `ledger_journal` (what
people enter), `ledger_policy` (what nobody does alone), `ledger_closing` (the end of a period), `ledger_calendar` (when one ends), and `ledger_statements` (financial statements). `api_facts` and `ledger_facts` are what reconciliation reads. `dead_letters` has what every service answers to operators. `foreign` is what
other teams publish, which is in no registry.
"""

from libs.common.contracts import (
    api,
    api_facts,
    dead_letters,
    foreign,
    gateway,
    gateway_customers,
    gateway_decisions,
    gateway_imports,
    gateway_matching,
    gateway_movements,
    gateway_payouts,
    gateway_periods,
    gateway_reconciliation,
    gateway_requests,
    ledger,
    ledger_books,
    ledger_calendar,
    ledger_closing,
    ledger_facts,
    ledger_journal,
    ledger_money,
    ledger_policy,
    ledger_reports,
    ledger_roles,
    ledger_statements,
    notifier,
)
from libs.common.contracts.base import (
    PUBLIC_EXCHANGE,
    REGISTRY,
    Contract,
    Kind,
    Message,
    PublicEvent,
    handled_by,
    published_by,
)

__all__ = [
    "PUBLIC_EXCHANGE",
    "REGISTRY",
    "Contract",
    "Kind",
    "Message",
    "PublicEvent",
    "api",
    "api_facts",
    "dead_letters",
    "foreign",
    "gateway",
    "gateway_customers",
    "gateway_decisions",
    "gateway_imports",
    "gateway_matching",
    "gateway_movements",
    "gateway_payouts",
    "gateway_periods",
    "gateway_reconciliation",
    "gateway_requests",
    "handled_by",
    "ledger",
    "ledger_books",
    "ledger_calendar",
    "ledger_closing",
    "ledger_facts",
    "ledger_journal",
    "ledger_money",
    "ledger_policy",
    "ledger_reports",
    "ledger_roles",
    "ledger_statements",
    "notifier",
    "published_by",
]
