"""A declined attempt keeps the codes of the processor, the issuer and the network."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_CODES = {
    "decline_code": "The issuer's reason, or empty.",
    "advice_code": "What to do about it, or empty.",
    "network_decline_code": "The card network's code, or empty.",
    "network_advice_code": "The network's advice, or empty.",
}


def upgrade() -> None:
    """Add the codes; of what was declined before they are not known."""
    for name, comment in _CODES.items():
        op.add_column("attempts", sa.Column(name, sa.Text, nullable=False, server_default="", comment=comment))
