"""Payment intents: created, confirmed, captured, voided, refunded and disputed; and what waits too long."""
