"""The posting rules explained to an accountant: `docs/chart-of-accounts.md`, written by running the rules themselves. Pure."""

import inspect
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_roles import Role
from services.ledger.accounts import ROLES
from services.ledger.core import BASES, Leg, Quote, Rate, exchange, normal_side
from services.ledger.posting_rules.domain.conversion import Conversion, conversion_entries
from services.ledger.posting_rules.domain.drawing import journal, money, t_accounts
from services.ledger.posting_rules.domain.movement_story import movement_stories
from services.ledger.posting_rules.domain.payments import PAYMENT_RULES, Occurrence
from services.ledger.posting_rules.domain.period_story import period_stories
from services.ledger.posting_rules.domain.roles import PROBE, opposites, roles_of

_CURRENCY = "BRL"

_NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """What happened up to the event that is explained, as (event, amount in minor units)."""

    title: str
    """The business event, as a person would call it."""
    kind: EntryKind
    """The rule that it is an example of."""
    words: str
    """What happens in this example."""
    events: tuple[tuple[EntryKind, int], ...]
    """In their order; the last one is the one that is explained."""


_SALE = (EntryKind.CAPTURE, 15050)

STORIES = (
    Story(
        title="Capture",
        kind=EntryKind.CAPTURE,
        words="A customer pays 150.50, and all of it is captured.",
        events=(_SALE,),
    ),
    Story(
        title="Partial capture",
        kind=EntryKind.CAPTURE,
        words="150.50 were authorized and 100.00 are captured. What is let go was never ours and is not booked.",
        events=((EntryKind.CAPTURE, 10000),),
    ),
    Story(
        title="Refund",
        kind=EntryKind.REFUND,
        words="Of the sale of 150.50, 50.00 are given back.",
        events=(_SALE, (EntryKind.REFUND, 5000)),
    ),
    Story(
        title="Refund failure",
        kind=EntryKind.REFUND_FAILURE,
        words="The refund of 50.00 does not reach the customer. A refund that never succeeded was not booked, and there is "
        "nothing to undo.",
        events=(_SALE, (EntryKind.REFUND, 5000), (EntryKind.REFUND_FAILURE, 5000)),
    ),
    Story(
        title="Dispute opened",
        kind=EntryKind.DISPUTE_OPENED,
        words="The customer's bank takes 150.50 back until it is decided.",
        events=(_SALE, (EntryKind.DISPUTE_OPENED, 15050)),
    ),
    Story(
        title="Dispute won",
        kind=EntryKind.DISPUTE_WON,
        words="The bank gives the 150.50 back.",
        events=(_SALE, (EntryKind.DISPUTE_OPENED, 15050), (EntryKind.DISPUTE_WON, 15050)),
    ),
    Story(
        title="Dispute lost",
        kind=EntryKind.DISPUTE_LOST,
        words="The 150.50 are gone.",
        events=(_SALE, (EntryKind.DISPUTE_OPENED, 15050), (EntryKind.DISPUTE_LOST, 15050)),
    ),
    Story(
        title="Processor fee",
        kind=EntryKind.PROCESSOR_FEE,
        words="For the sale of 150.50 the processor keeps 4.67.",
        events=(_SALE, (EntryKind.PROCESSOR_FEE, 467)),
    ),
    Story(
        title="Payout created",
        kind=EntryKind.PAYOUT_CREATED,
        words="After its fee the processor sends 145.83 to the tenant's bank.",
        events=(_SALE, (EntryKind.PROCESSOR_FEE, 467), (EntryKind.PAYOUT_CREATED, 14583)),
    ),
    Story(
        title="Payout paid",
        kind=EntryKind.PAYOUT_PAID,
        words="The 145.83 arrive.",
        events=(
            _SALE,
            (EntryKind.PROCESSOR_FEE, 467),
            (EntryKind.PAYOUT_CREATED, 14583),
            (EntryKind.PAYOUT_PAID, 14583),
        ),
    ),
    Story(
        title="Payout failed",
        kind=EntryKind.PAYOUT_FAILED,
        words="The bank does not take the 145.83, and the processor has them back.",
        events=(
            _SALE,
            (EntryKind.PROCESSOR_FEE, 467),
            (EntryKind.PAYOUT_CREATED, 14583),
            (EntryKind.PAYOUT_FAILED, 14583),
        ),
    ),
    Story(
        title="Payout debited",
        kind=EntryKind.PAYOUT_DEBITED,
        words="The 145.83 had arrived, and the bank sends them back. That they are at the processor again, its statement shows.",
        events=(
            (EntryKind.PAYOUT_CREATED, 14583),
            (EntryKind.PAYOUT_PAID, 14583),
            (EntryKind.PAYOUT_DEBITED, 14583),
        ),
    ),
)
"""One worked example for each rule, and one for a capture of a part; where a processor has a statement, `movement_story` goes on."""


def page() -> str:
    """Write the whole page."""
    return (
        "\n".join(
            [
                *_head(),
                *_accounts(),
                *_table(),
                *_stories(),
                *_conversion(),
                *movement_stories(),
                *period_stories(),
                *_tail(),
            ]
        )
        + "\n"
    )


def _head() -> list[str]:
    return [
        "# Chart of accounts and posting rules",
        "",
        "What each business event debits and credits, for an accountant to review. This page is generated by running the rules",
        "that post (`services/ledger/posting_rules`): `just docs`; a test compares it.",
        "",
        "A rule names roles. Every tenant has an account of its own for each of them, opened by the platform, and may let",
        "another one play it: `PUT /v1/accounts/roles/{role}`. A change holds for every entry that is posted after it was",
        "answered; what stands in the books stays, and who changed what when is kept. What follows later goes by the configuration",
        "of then: let a clearing account run empty before another one takes its role.",
        "",
    ]


def _accounts() -> list[str]:
    lines = ["## Accounts", "", "| Role and code | Type | Grows by | What stands on it |", "|---|---|---|---|"]
    for role, terms in ROLES.items():
        first, *others = terms.account_types
        types = f"{first}{', also ' if others else ''}{', '.join(others)}"
        lines.append(f"| `{role}` | {types} | {normal_side(first).lower()}s | {terms.meaning} |")
    return [
        *lines,
        "",
        "An account may play a role when",
        "",
        "- it stands in the tenant's chart, and its type is one of those above;",
        "- it has no floor, no ceiling, and takes every currency: what happened at the processor cannot be refused;",
        "- it plays no role that a rule sets against this one, since an entry with one account on both sides has no effect:",
        "",
        "| Role | Is set against |",
        "|---|---|",
        *(
            f"| `{role}` | {', '.join(f'`{other}`' for other in Role if other in opposites()[role])} |"
            for role in ROLES
        ),
        "",
    ]


def _table() -> list[str]:
    lines = ["## Rules", "", "| Event | Debit | Credit |", "|---|---|---|"]
    for kind, rule in PAYMENT_RULES.items():
        debit, credit = roles_of(rule(PROBE, _occurrence(kind, 1)))
        lines.append(f"| {kind.replace('_', ' ')} | `{debit}` | `{credit}` |")
    return [
        *lines,
        "| conversion, in the currency sold | `FX_POSITION` | the account it is taken from |",
        "| conversion, in the currency bought | the account it goes to | `FX_POSITION` |",
        "",
        "Every entry is in one currency. Its id follows from what it records (the intent, refund, dispute, fee or payout) and the",
        "kind of event: reported twice, it is posted once; with another amount, it is refused and kept as a dead letter.",
        "Events may arrive in any order and no entry waits for another: sums commute. In between, a clearing account may stand on",
        "its other side for a moment.",
        "",
    ]


def _stories() -> list[str]:
    lines: list[str] = []
    for story in STORIES:
        entries = [PAYMENT_RULES[kind](PROBE, _occurrence(kind, amount)) for kind, amount in story.events]
        lines += [f"### {story.title}", "", *_meaning(story.kind), "", story.words, "", "```text"]
        lines += [*journal(entries[-1:]), "", *t_accounts(entries, touched=roles_of(entries[-1])), "```", ""]
    return lines


def _meaning(kind: EntryKind) -> list[str]:
    return (inspect.getdoc(PAYMENT_RULES[kind]) or "").splitlines()


def _conversion() -> list[str]:
    quoted = Quote(from_currency="USD", to_currency="BRL", legs=(_leg("USD", "BRL", "5.4321"),))
    conversion = Conversion(
        id=UUID(int=1),
        from_account_id=PROBE.roles[Role.CASH],
        to_account_id=PROBE.roles[Role.BANK],
        from_currency="USD",
        to_currency="BRL",
        amounts=exchange(quoted, 10_000, received_minor=54_200),
        occurred_at=_NOW,
    )
    entries = conversion_entries(PROBE, conversion)
    coarse = Quote(from_currency="KWD", to_currency="JPY", legs=(_leg("KWD", "JPY", "489.1"),))
    rounded = exchange(coarse, 10_005)
    sold, valued, lost = (
        money(minor, "KWD") for minor in (rounded.sold_minor, rounded.valued_minor, -rounded.gain_minor)
    )
    return [
        "### Conversion",
        "",
        *(inspect.getdoc(conversion_entries) or "").splitlines()[:1],
        "",
        "No entry holds two currencies: a conversion is two, linked by its id, each against the currency position. The position is",
        "debited with what was bought, valued in the currency that was sold, so its two balances are worth the same at the rate.",
        "What the rate does not explain is a gain or a loss in the currency that was sold. Neither entry is taken back alone: money is",
        "exchanged back by another conversion.",
        "",
        "100.00 USD are sold at 5.4321 BRL; the bank pays 542.00 BRL, which at that rate are 99.78 USD.",
        "",
        "```text",
        *journal(entries),
        "",
        *t_accounts(entries, touched=[role for entry in entries for role in roles_of(entry)]),
        "```",
        "",
        "Where it is not known what the bank paid, the amount bought is the rate's, rounded half to even to the minor unit of its",
        "currency; what the rounding takes is booked in the same way.",
        f"{sold} KWD at 489.1 are {rounded.bought_minor} JPY, which are worth {valued} KWD: a loss of {lost} KWD.",
        "",
    ]


def _tail() -> list[str]:
    return [
        "## Exchange rates",
        "",
        "A rate is how many units of one currency a unit of another is worth from an instant on, as an exact decimal with up to 18",
        "decimals. It is never changed once recorded; a correction is one that takes effect later. What holds at an instant is found",
        "in this order:",
        "",
        "1. a currency is worth 1 of itself;",
        "2. the rate of the pair that took effect last, in either direction; the other way round it is inverted, and of two of the",
        "   same instant the direct one counts;",
        f"3. over a base currency, {' before '.join(BASES)}: from the first currency to the base, and from there to the second.",
        "",
        "Rates are multiplied and inverted as fractions. An amount is rounded once, at the end, half to even, to the minor unit of",
        "its currency (ISO 4217: JPY 0 decimals, BRL 2, KWD 3, CLF 4). Where no rate leads from one currency to the other, that is",
        "reported; nothing is guessed. `GET /v1/ledger/balances/consolidated` adds up what an account holds in several currencies exactly",
        "and rounds once; a currency without a rate is named and left out of every account, and `rounding` is what is missing to zero.",
    ]


def _occurrence(kind: EntryKind, amount_minor: int) -> Occurrence:
    return Occurrence(
        subject_id=UUID(int=list(EntryKind).index(kind) + 1),
        payment_intent_id=None,
        amount_minor=amount_minor,
        currency=_CURRENCY,
        occurred_at=_NOW,
        source_event_id=None,
    )


def _leg(from_currency: str, to_currency: str, rate: str) -> Leg:
    recorded = Rate(
        tenant_id="t",
        id=UUID(int=1),
        from_currency=from_currency,
        to_currency=to_currency,
        rate=Decimal(rate),
        effective_at=_NOW,
        source="ECB",
        recorded_at=_NOW,
        recorded_by="",
    )
    return Leg(rate=recorded, is_inverse=False)
