"""How entries are drawn for an accountant: as a journal, and as T-accounts. Pure."""

from collections.abc import Iterable, Sequence
from itertools import batched

from libs.common.contracts.ledger import Side
from libs.common.contracts.ledger_roles import Role
from libs.common.money import format_minor
from services.ledger.core import Entry
from services.ledger.posting_rules.domain.roles import roles_of

_SIDE_WIDTH = 26

_GAP = "    "


def money(amount_minor: int, currency: str) -> str:
    """Write an amount with the decimals of its currency."""
    return format_minor(amount_minor, currency)


def journal(entries: Iterable[Entry]) -> list[str]:
    """Write entries as a journal, one line for each debit and credit; made with the probing chart."""
    lines = []
    for entry in entries:
        for role, line in zip(roles_of(entry), entry.lines, strict=True):
            indent = "" if line.side is Side.DEBIT else "       "
            amount = f"{money(line.amount_minor, line.currency):>10} {line.currency}"
            lines.append(f"{indent}{line.side.value:<6} {role.value:<20}{'' if indent else '       '}{amount}")
    return lines


def t_accounts(entries: Sequence[Entry], *, touched: Sequence[Role]) -> list[str]:
    """Draw the accounts of some roles, one T for each currency, with what every entry did to them; two side by side."""
    sides: dict[tuple[str, Role], tuple[list[tuple[str, int]], list[tuple[str, int]]]] = {}
    for entry in entries:
        for role, line in zip(roles_of(entry), entry.lines, strict=True):
            if role in touched:
                left, right = sides.setdefault((line.currency, role), ([], []))
                (left if line.side is Side.DEBIT else right).append((entry.kind.replace("_", " "), line.amount_minor))
    lines: list[str] = []
    for pair in batched(sides.items(), 2):
        height = max(len(side) for _, both in pair for side in both)
        drawings = [_draw(role, currency, *both, height=height) for (currency, role), both in pair]
        rows = zip(*drawings, strict=True)
        lines += [*(_GAP.join(part.ljust(2 * _SIDE_WIDTH + 1) for part in row).rstrip() for row in rows), ""]
    return lines[:-1]


def _draw(
    role: Role, currency: str, debits: list[tuple[str, int]], credits_: list[tuple[str, int]], *, height: int
) -> list[str]:
    net = sum(amount for _, amount in debits) - sum(amount for _, amount in credits_)
    empty = " " * _SIDE_WIDTH
    cells = [
        [*(_cell(words, amount, currency) for words, amount in side), *[empty] * (height - len(side))]
        for side in (debits, credits_)
    ]
    standing = _cell("balance", abs(net), currency)
    return [
        f"{role.value} ({currency})".center(2 * _SIDE_WIDTH + 1).rstrip(),
        f"{'Debit'.ljust(_SIDE_WIDTH)}|{'Credit'.rjust(_SIDE_WIDTH)}",
        f"{'-' * _SIDE_WIDTH}+{'-' * _SIDE_WIDTH}",
        *(f"{left}|{right}" for left, right in zip(*cells, strict=True)),
        f"{'-' * _SIDE_WIDTH}+{'-' * _SIDE_WIDTH}",
        f"{standing if net >= 0 else empty}|{standing if net < 0 else empty}",
    ]


def _cell(words: str, amount_minor: int, currency: str) -> str:
    number = money(amount_minor, currency)
    return f" {words[: _SIDE_WIDTH - len(number) - 3]:<{_SIDE_WIDTH - len(number) - 3}} {number} "
