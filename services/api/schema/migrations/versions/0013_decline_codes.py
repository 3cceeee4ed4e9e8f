"""A failed intent keeps the codes of the processor, the issuer and the network."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_CODES = {
    "decline_code": "The issuer's reason of a decline, in the processor's words.",
    "advice_code": "What the processor advises to do about a decline.",
    "network_decline_code": "The card network's own code of a decline.",
    "network_advice_code": "The card network's advice about a decline.",
}


def upgrade() -> None:
    """Add the codes; of what was declined before they are not known."""
    for name, comment in _CODES.items():
        op.add_column("payment_intents", sa.Column(name, sa.Text, comment=comment))
