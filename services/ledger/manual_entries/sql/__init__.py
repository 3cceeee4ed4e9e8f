"""The SQL of manual entries: who made them, the replies under each key, and proposals."""
