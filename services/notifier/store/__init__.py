"""How do we remember? The only SQL of the notifier."""
