"""The SQL of entries: reading them, and finding what a reversal or a second publication needs."""
