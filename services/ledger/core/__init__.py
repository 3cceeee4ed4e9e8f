"""The nouns of double entry that several subjects share: account, entry, line, balance, hold, rate. Pure."""

from libs.common.contracts.ledger_books import HoldState
from services.ledger.core.account import (
    ACCOUNT_CODE_LENGTH_MAX,
    ACCOUNT_LABEL_LENGTH_MAX,
    Account,
    Chart,
    check_account,
    normal_side,
)
from services.ledger.core.balance import BALANCE_MINOR_MAX, Balance, require_within_limits
from services.ledger.core.cursors import checked_limit, read_cursor, write_cursor
from services.ledger.core.entry import ENTRY_LINES_MAX, ENTRY_MINOR_MAX, Entry, Line
from services.ledger.core.hold import NOT_PROMISED, PROMISED_FIELDS, RESOLVED_FIELDS, Hold
from services.ledger.core.rate import (
    BASES,
    Exchange,
    Leg,
    Pair,
    Quote,
    Rate,
    check_rate,
    exchange,
    half_even,
    needed_pairs,
    quote,
)

__all__ = [
    "ACCOUNT_CODE_LENGTH_MAX",
    "ACCOUNT_LABEL_LENGTH_MAX",
    "BALANCE_MINOR_MAX",
    "BASES",
    "ENTRY_LINES_MAX",
    "ENTRY_MINOR_MAX",
    "NOT_PROMISED",
    "PROMISED_FIELDS",
    "RESOLVED_FIELDS",
    "Account",
    "Balance",
    "Chart",
    "Entry",
    "Exchange",
    "Hold",
    "HoldState",
    "Leg",
    "Line",
    "Pair",
    "Quote",
    "Rate",
    "check_account",
    "check_rate",
    "checked_limit",
    "exchange",
    "half_even",
    "needed_pairs",
    "normal_side",
    "quote",
    "read_cursor",
    "require_within_limits",
    "write_cursor",
]
