"""The SQL of manual entries: who made them, the replies under each key, policies, and proposals."""
