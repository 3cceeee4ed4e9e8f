"""The SQL of payments: `intents` with their keys, `refunds` and disputes, `timeline`, and `sweeps` of what waits."""
