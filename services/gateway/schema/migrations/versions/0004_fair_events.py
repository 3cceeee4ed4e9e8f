"""The queue of Stripe's events by account, so that a claim can take a share of each."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WAITING = sa.text("next_try_at IS NOT NULL")


def upgrade() -> None:
    # Events are kept for weeks, not for ever, and few of them wait: the index is small and quickly built. Webhooks that
    # come meanwhile wait for it, and Stripe sends again what waited too long.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_index(
        "ix_stripe_events_waiting",
        "stripe_events",
        ["tenant_id", "processor", "next_try_at"],
        postgresql_where=_WAITING,
    )
    op.drop_index("ix_stripe_events_due", "stripe_events")


def downgrade() -> None:
    op.create_index("ix_stripe_events_due", "stripe_events", ["next_try_at"], postgresql_where=_WAITING)
    op.drop_index("ix_stripe_events_waiting", "stripe_events")
