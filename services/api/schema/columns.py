"""Columns that tables have in common, and tables of what other teams state."""

from datetime import datetime

import sqlalchemy as sa


def instant(name: str, comment: str, *, nullable: bool = False) -> "sa.Column[datetime]":
    """Describe an instant."""
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, comment=comment)


def stated() -> "list[sa.Column[datetime]]":
    """Describe when the suite stated what of a tenant."""
    return [
        instant(f"{member}_stated_at", f"When the suite stated its {member}; NULL: never.", nullable=True)
        for member in ("name", "plan", "region", "status")
    ]
