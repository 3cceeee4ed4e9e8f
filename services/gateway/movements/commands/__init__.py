"""What is decided about a statement: `recording` what it shows, `reading` it page by page, `opening` and `comparing` balances, `resending`."""

from services.gateway.movements.commands.comparing import BalanceComparing
from services.gateway.movements.commands.opening import AccountOpening
from services.gateway.movements.commands.reading import StatementReading
from services.gateway.movements.commands.recording import StatementRecording
from services.gateway.movements.commands.resending import publications_of_movement, publications_of_payment, resend

__all__ = [
    "AccountOpening",
    "BalanceComparing",
    "StatementReading",
    "StatementRecording",
    "publications_of_movement",
    "publications_of_payment",
    "resend",
]
